"""Which versions of packages are installed."""

from importlib import metadata

import genreflow

_ALSO = {"tensorflow": "tensorflow-cpu"}
"""Other builds of a package, which are installed by a name of their own."""


def version_of(package: str) -> str:
    """Return the version of a package, "" if it isn't installed."""
    if package == genreflow.__name__:  # which runs from its folder, not installed
        return genreflow.__version__
    for name in (package, _ALSO.get(package, package)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""
