"""Classifiers of scikit-learn, a module each: named by its file, and found by being there.

A module has a docstring of one line; ``TITLE``, what people call it; ``GRID``, what the grid search
tries for each parameter; ``make``, which returns the unfitted classifier for a seed; ``fitted``,
which lists what it predicts by for numbers of genres and dimensions, as `learners.fitted` says;
and, where they differ from none, ``is_sound``, which tells of a fitted one whether its values fit
together, too; ``TRUSTED``, types that its file holds beyond those that skops takes for harmless;
and ``square``, the rows of the largest square matrix that a fit needs. At import none needs scikit-
learn, for every job reads the configuration.
"""

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any

from genreflow.learners.fitted import Fixed, rebuilt


@cache
def known() -> dict[str, ModuleType]:
    """Return the module of each classifier by its name: ``svm-rbf``."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}


def path_of(name: str) -> str:
    """Return the file of a classifier, below the folder of the library."""
    return f"{known()[name].__name__.replace('.', '/')}.py"


def square(name: str, tracks: float, dimensions: int) -> float:
    """Return the rows of the largest square matrix that a fit needs; 0 if it needs none.

    The number of dimensions is 0 if that isn't known.
    """
    rows = getattr(known()[name], "square", None)
    return rows(tracks, dimensions) if rows else 0


def checked(found: Any, genres: int, dimensions: int) -> Any:
    """Return a fitted classifier from a file, built anew of what was checked.

    It must have been fitted on so many genres and dimensions. TypeError, ValueError or LookupError
    is raised if it is no classifier of any module here, or its state isn't what a fit leaves.
    """
    by_type = {type(one.make(0)): one for one in known().values()}
    if type(found) not in by_type:
        raise TypeError(f"expected a classifier of this workflow, found {type(found).__name__}")
    module = by_type[type(found)]
    wanted = {"n_features_in_": Fixed(dimensions), **module.fitted(genres, dimensions)}
    wanted["classes_"] = Fixed(vars(found).get("classes_"))
    return rebuilt(
        found, module.make(0), wanted, *filter(None, [getattr(module, "is_sound", None)])
    )
