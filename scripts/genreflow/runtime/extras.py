"""Packages that only some learners need: the extras of the library where pip installed it."""

from collections.abc import Collection
from importlib import metadata, util

from genreflow.errors import GenreflowError

EXTRAS = {"keras": ("keras", "tensorflow"), "networks": ("onnx", "openvino")}
"""Extras of pyproject.toml and what is imported of their packages."""


def require(extras: Collection[str], what: str) -> None:
    """Raise GenreflowError if packages of extras aren't installed; it says the command that does.

    Parameters
    ----------
    extras
        Of `EXTRAS`.
    what
        Needs them.
    """
    wanted = [package for extra in sorted(extras) for package in EXTRAS[extra]]
    if lacking := [package for package in wanted if util.find_spec(package) is None]:
        raise GenreflowError(
            f"{what} needs packages that are not installed here: {', '.join(lacking)}. To install "
            f"them: {_command(lacking, extras)}"
        )


def _command(modules: list[str], extras: Collection[str]) -> str:
    """Return how the packages of extras with these modules are installed, in versions that fit."""
    from packaging.requirements import Requirement

    try:
        known = [Requirement(one) for one in metadata.requires("genreflow") or []]
    except metadata.PackageNotFoundError:
        return "python -m pip install --requirement envs/requirements.lock, in genreflow's folder"
    named = [
        f"'{one.name}{one.specifier}'"
        for one in known
        if one.name.startswith(tuple(modules))  # tensorflow-cpu has the module tensorflow
        and any(one.marker and one.marker.evaluate({"extra": extra}) for extra in extras)
    ]
    return f"python -m pip install {' '.join(named)}"
