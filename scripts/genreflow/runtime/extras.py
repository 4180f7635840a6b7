"""Packages that only some learners need: the extras of the library where pip installed it."""

from collections.abc import Iterable
from importlib import metadata, util

from genreflow.errors import GenreflowError

EXTRAS = {"keras": ("keras", "tensorflow"), "networks": ("onnx", "openvino")}
"""Extras of pyproject.toml and their packages, which are imported by the same names."""


def require(extras: Iterable[str], what: str) -> None:
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
            f"them: {_command(lacking)}"
        )


def _command(packages: list[str]) -> str:
    """Return how packages are installed in versions that fit."""
    try:
        known = metadata.requires("genreflow") or []
    except metadata.PackageNotFoundError:
        return "python -m pip install --requirement envs/requirements.lock, in genreflow's folder"
    wanted = (one.partition(";")[0].strip() for one in known)
    named = [f"'{one}'" for one in wanted if one.startswith(tuple(packages))]
    return f"python -m pip install {' '.join(named)}"
