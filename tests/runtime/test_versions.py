"""Versions are those of the packages that are installed, by whatever name."""

import sys

import genreflow
import numpy as np
import pytest
from genreflow.runtime.versions import version_of


def test_versions_are_those_of_the_packages():
    assert version_of("numpy") == np.__version__
    assert version_of("genreflow") == genreflow.__version__


@pytest.mark.parametrize(
    ("folder", "version"), [("tensorflow", "9.1"), ("tensorflow_cpu", "9.2"), ("numpy", "")]
)
def test_the_build_for_processors_is_tensorflow_too(tmp_path, monkeypatch, folder, version):
    described = tmp_path / f"{folder}-{version or 1}.dist-info" / "METADATA"
    described.parent.mkdir()
    described.write_text(f"Name: {folder.replace('_', '-')}\nVersion: {version or 1}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert version_of("tensorflow") == version
