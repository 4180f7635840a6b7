"""Fitted scikit-learn objects in files that load without running code."""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from genreflow.errors import GenreflowError, in_a_line
from genreflow.learners import estimators
from genreflow.runtime import archives, outcomes
from genreflow.runtime.files import atomic

T = TypeVar("T")

MAX_REPEATED = 16
"""Objects that stand in a file twice. Each doubles what skops looks at if it holds another one."""

_HOLDERS = {"DictNode", "ListNode", "TupleNode", "ObjectNode", "LossNode"}
_LOADERS = _HOLDERS | {
    *("JsonNode", "NdArrayNode", "TypeNode", "RandomStateNode", "RandomGeneratorNode")
}
"""What skops makes of the objects that files of this workflow hold; some hold others."""


def write(content: Mapping[str, Any], path: str | Path) -> None:
    """Write named objects as a skops file."""
    with atomic(path) as part:
        skops.io.dump(dict(content), part)


def read(path: str | Path, build: Callable[[Mapping[str, Any]], T]) -> T:
    """Read what `write` wrote.

    `build` turns the named objects into what is returned. It raises LookupError, ValueError or
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
        _check(path)
        # Texts in the file, as the version that made it, would reach the terminal as they are.
        with warnings.catch_warnings(action="ignore"):
            return build(skops.io.load(path, trusted=_trusted()))
    except FileNotFoundError as error:
        raise GenreflowError(f"{path}: there is no such model file; train it first") from error
    except UntrustedTypesFoundException as error:
        raise GenreflowError(f"{path}: not loaded, since it could run code: {error}") from error
    except Exception as error:  # a stranger's file makes libraries raise anything
        raise GenreflowError(
            f"{path}: not a whole model file of this workflow "
            f"({in_a_line(error)}); delete it and train again"
        ) from error


def _check(path: str | Path) -> None:
    """Refuse a file that takes far more memory or time than its size tells, before it is read."""
    sizes = archives.sizes(path)
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    read: dict[Any, int] = {}
    again = 0
    for number, node in enumerate(_nodes(schema)):
        if node["__loader__"] not in _LOADERS:
            raise UntrustedTypesFoundException({f"{node['__module__']}.{node['__class__']}"})
        key = node.get("__id__") or ("no other", number)
        again += key in read and node["__loader__"] in _HOLDERS
        read[key] = max(read.get(key, 0), sizes[node["file"]] if "file" in node else 0)
    if sum(read.values()) > archives.most_of(path) or again > MAX_REPEATED:
        raise ValueError("it holds the same things many times")


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield what stands for an object, at any depth."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "__loader__" in one:
                yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _trusted() -> list[str]:
    """Return the types that a file may hold beyond those that skops takes for harmless."""
    return [kind for one in estimators.known().values() for kind in getattr(one, "TRUSTED", ())]
