"""The names of the splits. Needs nothing but the standard library."""

import re
from collections.abc import Iterable

from genreflow.errors import GenreflowError, nearest_first

SINGLE = ("official", "grouped", "lowest-ids")
"""The splits that are not folds of a cross-validation."""

AUTO = "auto"
"""Stands for one of the others, which `genreflow.plan` chooses by the tracks that there are."""

_FAMILY = r"cv-([1-9][0-9]*)x([2-9]|[1-9][0-9]+)"
_FOLD = r"cv-[1-9][0-9]*x(?:[2-9]|[1-9][0-9]+)-r[1-9][0-9]*-f0*[1-9][0-9]*"

PATTERN = "|".join((*SINGLE, _FOLD))
"""Matches the name of each split and nothing of another form; `check` looks at the numbers."""


def expand(names: Iterable[str]) -> list[str]:
    """Return the names of all splits that a list of names stands for.

    Parameters
    ----------
    names
        ``official``, ``grouped``, ``lowest-ids`` stand for themselves, ``cv-REPEATSxFOLDS``
        for its folds: ``cv-5x10`` for ``cv-5x10-r1-f01`` to ``cv-5x10-r5-f10``.

    Returns
    -------
    list of str
        In the given order. A name that is given twice counts once.

    Raises
    ------
    GenreflowError
        If a name is none of these.
    """
    return list(dict.fromkeys(split for name in names for split in _members(name)))


def family(split_name: str) -> str:
    """Return the name of the cross-validation that a split is a fold of, else its own name."""
    return re.sub("-r[0-9]+-f[0-9]+$", "", split_name)


def check(name: str) -> None:
    """Refuse a name that `expand` doesn't give.

    Raises
    ------
    GenreflowError
        Names the first and the last of its family.
    """
    members = _members(family(name))
    if name not in members:
        raise GenreflowError(
            f"unknown split {name!r}: the splits of {family(name)!r} are {members[0]!r} to "
            f"{members[-1]!r}; name one of them"
        )


def _members(name: str) -> list[str]:
    if name in SINGLE:
        return [name]
    match = re.fullmatch(_FAMILY, name)
    if not match:
        raise GenreflowError(_unknown(name))
    repeats, folds = map(int, match.groups())
    width = len(match[2])
    return [
        f"{name}-r{repeat}-f{fold:0{width}}"
        for repeat in range(1, repeats + 1)
        for fold in range(1, folds + 1)
    ]


def _unknown(name: str) -> str:
    # A wrong name with two numbers most likely means a cross-validation with these.
    repeats, folds, *_ = [*map(int, re.findall("[0-9]+", name)), 5, 10]
    known = [AUTO, *SINGLE, f"cv-{max(repeats, 1)}x{max(folds, 2)}"]
    near = nearest_first(name, known, likeness=0.6)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return (
        f"unknown split {name!r}{guess} Splits are {', '.join(map(repr, (AUTO, *SINGLE)))} and "
        "'cv-REPEATSxFOLDS' with at least 1 repeat and 2 folds, such as 'cv-5x10'"
    )
