"""The configuration: every key with its type, range, default and meaning, in one place."""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from genreflow.config.base import plain
from genreflow.config.sections import Configuration
from genreflow.errors import GenreflowError
from genreflow.features.feature_set import known_kinds


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with the defaults filled in, as plain nested mappings.

    Raises
    ------
    GenreflowError
        Names each key that is unknown (with the nearest known one), has a wrong value, or doesn't
        fit others.
    """
    known_kinds()  # whose keys may stand in transfer.backbones
    try:
        return plain(Configuration.model_validate(_at_home(dict(config))))
    except ValidationError as error:
        problems = [f"{_place(one['loc'])}: {one['msg']}" for one in error.errors()]
    listed = "\n".join(f"  - {problem}" for problem in problems)
    raise GenreflowError(
        f"the configuration has {len(problems)} problem(s):\n{listed}\n"
        "Every key is explained in config.yaml and docs/configuration.md."
    )


def _at_home(value: Any) -> Any:
    """Put the home folder in the place of ~ in all paths; no shell does it within a setting."""
    if isinstance(value, dict):
        return {key: _at_home(sub) for key, sub in value.items()}
    if isinstance(value, list):
        return [_at_home(item) for item in value]
    return os.path.expanduser(value) if isinstance(value, str) else value  # noqa: PTH111


def _place(keys: tuple[str | int, ...]) -> str:
    # Pydantic's mark of a wrong key, in place of one below it.
    return ".".join(str(key) for key in keys if key != "[key]")
