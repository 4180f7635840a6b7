"""Fitted scikit-learn objects that came from a file: built anew of what was checked.

scikit-learn trusts its own objects: libsvm and the trees read memory where their arrays say. So no
object from a file is used. `rebuilt` makes a new one, and gives it the parameters, as plain values,
and what its kind lists as fitted, each of the type and shape that a fit leaves. What isn't listed
is left behind, and there is nothing within anything else that isn't listed.

What is fitted is listed by name: what it is, as

- a tuple: an array of numbers of that shape. A text in it is a length that is known by no other
  number, the same wherever it stands for one object; None is any length.
- a type, ``int``, ``float`` or ``str``: such a value.
- a list of one of these: a list of any length.
- `Object`: an object with attributes of its own.
- `Fixed`: not read from the file at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NUMBERS = "biuf"
"""What arrays hold, as NumPy calls it: truth values, whole numbers, and others."""

_FOR_THE_USER = ("n_jobs", "verbose")
"""Parameters that say nothing of what was learned."""


@dataclass(frozen=True)
class Fixed:
    """A value that isn't read from the file."""

    value: Any


@dataclass(frozen=True)
class Object:
    """An object of exactly this type, with these attributes."""

    kind: type
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """An array of rows of a dtype of several fields, of any length."""

    dtype: Any


def columns(genres: int) -> int:
    """Return how many decision values a classifier has for so many genres."""
    return 1 if genres == 2 else genres


def linear(genres: int, dimensions: int) -> dict[str, Any]:
    """Return what a linear classifier predicts by."""
    rows = columns(genres)
    return {"coef_": (rows, dimensions), "intercept_": (rows,)}


def rebuilt(
    found: Any,
    new: Any,
    wanted: Mapping[str, Any],
    is_sound: Callable[[Any], bool] = lambda _: True,
) -> Any:
    """Return `new` with the parameters and the fitted state of an object from a file.

    `new` is what it should be, unfitted, and `wanted` its fitted state, as said above; `is_sound`
    tells of the result whether its values fit together, too. TypeError, ValueError or LookupError
    is raised if it is of another type, lacks something, or something isn't what it should be.
    """
    _require_type(type(new).__name__, found, type(new))
    state = vars(found)
    parameters = new.get_params(deep=False).keys() - set(_FOR_THE_USER)
    new.set_params(**{key: _plain(key, state[key]) for key in parameters & state.keys()})
    new._validate_params()
    sizes: dict[str, int] = {}
    for name, what in wanted.items():
        setattr(new, name, _taken(name, state.get(name), what, sizes))
    if not is_sound(new):
        raise ValueError(f"the {type(new).__name__} in it doesn't fit together")
    return new


def names_of(classes: Any) -> int:
    """Return how many names an array from a file holds; raise TypeError or ValueError if none."""
    import numpy as np

    _require_type("classes_", classes, np.ndarray)
    if classes.dtype.kind != "U" or classes.ndim != 1 or not 2 <= len(set(classes)) == len(classes):
        raise ValueError("classes_: expected different genres, two at least")
    return len(classes)


def _require_type(name: str, found: Any, kind: type) -> None:
    if type(found) is not kind:
        raise TypeError(f"{name}: expected {kind.__name__}, found {type(found).__name__}")


def _taken(name: str, found: Any, what: Any, sizes: dict[str, int]) -> Any:
    """Return a value from a file, if it is what it should be."""
    match what:
        case Fixed():
            return what.value
        case Object():
            _require_type(name, found, what.kind)
            new, state = what.kind.__new__(what.kind), vars(found)
            for key, inner in what.attributes.items():
                setattr(new, key, _taken(f"{name}.{key}", state.get(key), inner, sizes))
            return new
        case [inner] if isinstance(what, list):
            _require_type(name, found, list)
            return [_taken(f"{name}.{n}", one, inner, sizes) for n, one in enumerate(found)]
        case type():
            return _number_or_text(name, found, what)
        case _:
            _check_array(name, found, what, sizes)
            return found


def _number_or_text(name: str, found: Any, kind: type) -> Any:
    import numpy as np

    value = found.item() if isinstance(found, np.generic) else found
    if kind is float and type(value) is int:
        value = float(value)
    _require_type(name, value, kind)
    return value


def _check_array(name: str, found: Any, what: Any, sizes: dict[str, int]) -> None:
    import numpy as np

    _require_type(name, found, np.ndarray)
    if isinstance(what, Rows):
        if found.dtype != what.dtype or found.ndim != 1 or not len(found):
            raise ValueError(f"{name}: expected rows of other fields")
        return
    if found.dtype.kind not in NUMBERS:
        raise TypeError(f"{name}: expected numbers, found {found.dtype.name}")
    named = zip(what, found.shape, strict=False)
    wanted = tuple(
        length if one is None else sizes.setdefault(one, length) if isinstance(one, str) else one
        for one, length in named
    )
    if len(what) != found.ndim or wanted != found.shape:
        raise ValueError(f"{name}: expected the shape {wanted}, found {found.shape}")


def _plain(name: str, value: Any) -> Any:
    """Return a parameter, if it is a number, a text, nothing, or a list or array of these."""
    import numpy as np

    if type(value) in (list, tuple):
        return type(value)(_plain(name, one) for one in value)
    if type(value) is np.ndarray:
        _check_array(name, value, (None,), {})
        return value
    value = value.item() if isinstance(value, np.generic) else value
    if not (value is None or type(value) in (bool, int, float, str)):
        raise TypeError(f"{name}: expected a plain value, found {type(value).__name__}")
    return value
