"""Classifiers of scikit-learn, a module each: named by its file, and found by being there.

A module has a docstring of one line; ``GRID``, what the grid search tries for each parameter;
``make``, which returns the unfitted classifier for a seed; and, where they differ from none,
``TRUSTED``, types that its fitted state holds beyond those that skops takes for harmless, and
``square``, the rows of the largest square matrix that a fit needs. At import none needs
scikit-learn, for every job reads the configuration.
"""

import importlib
import pkgutil
from functools import cache
from types import ModuleType


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

    Parameters
    ----------
    name
        Of the classifier.
    tracks
        That it learns from.
    dimensions
        Of their features; 0 if that isn't known.
    """
    rows = getattr(known()[name], "square", None)
    return rows(tracks, dimensions) if rows else 0
