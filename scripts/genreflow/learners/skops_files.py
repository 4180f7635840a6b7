"""Fitted scikit-learn objects in files that load without running code."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from genreflow.errors import GenreflowError
from genreflow.learners import estimators
from genreflow.runtime import outcomes
from genreflow.runtime.files import atomic

T = TypeVar("T")


def write(content: Mapping[str, Any], path: str | Path) -> None:
    """Write named objects as a skops file."""
    with atomic(path) as part:
        skops.io.dump(dict(content), part)


def read(path: str | Path, build: Callable[[Mapping[str, Any]], T]) -> T:
    """Read what `write` wrote.

    Parameters
    ----------
    path
        The file.
    build
        Turns the named objects into what is returned. It raises LookupError, ValueError or
        TypeError if they aren't what it expects.

    Raises
    ------
    GenreflowError
        If the file is missing, truncated, not a model of this project, or holds types that are not
        trusted by any of `learners.estimators`.
    NotPossible
        If the model couldn't be made of its data.
    """
    outcomes.require(path)
    try:
        return build(skops.io.load(path, trusted=_trusted()))
    except FileNotFoundError as error:
        raise GenreflowError(f"{path}: there is no such model file; train it first") from error
    except UntrustedTypesFoundException as error:
        raise GenreflowError(f"{path}: not loaded, since it could run code: {error}") from error
    except (zipfile.BadZipFile, LookupError, ValueError, TypeError, AttributeError) as error:
        raise GenreflowError(
            f"{path}: not a whole model file of this workflow ({error}); delete it and train again"
        ) from error


def _trusted() -> list[str]:
    """Return the types that a file may hold beyond those that skops takes for harmless."""
    return [kind for one in estimators.known().values() for kind in getattr(one, "TRUSTED", ())]
