"""Weights in packages: found where they are installed, or in a wheel."""

import zipfile

import pytest
from genreflow.corpus.downloads import UnreachableError
from genreflow.errors import GenreflowError
from genreflow.features import imagenet_weights, packages
from genreflow.runtime.files import sha256


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "wheels/heavy-1.0-py3-none-any.whl"
    path.parent.mkdir()
    about = "heavy-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("heavy/net/.weights", "trained")
        file.writestr("heavy/__init__.py", "raise SystemExit('none of its code may run')")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: heavy\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    return path


def read(version="1.0", wheel="none.whl"):
    return packages.read("heavy", version, ["heavy/net/.weights"], wheel=wheel)


def test_weights_are_read_from_a_wheel_or_from_where_the_package_is_installed(
    wheel, tmp_path, monkeypatch
):
    assert read(wheel=wheel) == [b"trained"]
    with pytest.raises(GenreflowError, match=r"heavy 1.0 is not installed.*snakemake fetch"):
        read()
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    monkeypatch.setenv(packages.WHERE, str(tmp_path / "site"))
    assert read() == [b"trained"]
    with pytest.raises(GenreflowError, match=r"heavy 2\.0 is not installed"):
        read("2.0")
    with pytest.raises(GenreflowError, match="can't be read"):
        packages.read("heavy", "1.0", ["heavy/other"], wheel=wheel)


def test_pip_gets_a_package_by_name_and_hash(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    path = tmp_path / "resources" / wheel.name
    file = {"path": str(path), "package": "heavy==1.0", "sha256": sha256(wheel)}
    path.parent.mkdir()
    path.symlink_to(tmp_path / "theirs")  # which isn't there
    imagenet_weights.fetch_all([file])
    assert path.read_bytes() == wheel.read_bytes()
    assert not path.is_symlink() and not (tmp_path / "theirs").exists()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    path.write_text("another")
    with pytest.raises(GenreflowError, match="is there but has the sha256"):
        imagenet_weights.fetch_all([file])
    path.unlink()
    with pytest.raises(UnreachableError, match=r"pip can't get heavy==1\.0"):
        packages.fetch(path, package="heavy==1.0", sha256="0" * 64)
    with pytest.raises(GenreflowError, match=r"(?s)Not there yet:.*the package light==1.0, by pip"):
        imagenet_weights.fetch_all([{**file, "package": "light==1.0"}])
    assert not path.exists()
