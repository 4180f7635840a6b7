"""All keys of the configuration in words, for docs/configuration.md."""

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from types import UnionType
from typing import Any, get_args

from genreflow.config.base import Section
from genreflow.config.sections import Configuration
from genreflow.features.feature_set import known_kinds


@dataclass(frozen=True)
class Key:
    """A key: its name, what it may be, its default as JSON ("" for none) and its meaning."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Chapter:
    """A section: its full name, where it counts, its meaning and those keys that hold values."""

    name: str
    where: str
    meaning: str
    keys: list[Key]


def chapters(section: type[Section] = Configuration, name: str = "") -> Iterator[Chapter]:
    """Yield a section and those below it; NAME stands for names of the user's choice."""
    known_kinds()
    place = f"{name}." if name else ""
    yield _chapter(section, place)
    for key, field in section.model_fields.items():
        yield from _below(field.annotation, place + (field.alias or key))
    # By their modules, not by which of these was imported first.
    kinds = sorted(section.__subclasses__(), key=attrgetter("__module__"))
    for kind in kinds if section.decided_by else ():
        yield from chapters(kind, name)


def _below(annotation: Any, name: str) -> Iterator[Chapter]:
    """Yield the sections that a key holds, by its name or by names of the user's choice."""
    named = _optional(annotation)
    if hasattr(annotation, "__origin__") and annotation.__origin__ is dict:
        named, name = get_args(annotation)[1], f"{name}.NAME"
        named = getattr(named, "__origin__", named)
    if _is_section(named):
        yield from chapters(named, name)


def _optional(annotation: Any) -> Any:
    """Return the type of a key without the None of one that may lack."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if isinstance(annotation, UnionType) and len(kinds) == 1 else annotation


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _chapter(section: type[Section], place: str) -> Chapter:
    schema = section.model_json_schema()
    fields = {field.alias or name: (name, field) for name, field in section.model_fields.items()}
    own = {key: found for key, found in fields.items() if found[0] in section.__annotations__}
    decided_by = section.decided_by if section.decided_by in fields else ""
    return Chapter(
        place.rstrip("."),
        f", where {decided_by} is {fields[decided_by][1].default}" if decided_by else "",
        " ".join(inspect.getdoc(section).split("\n\n")[0].split()),
        [
            Key(
                key,
                _kind(schema["properties"][key]),
                "" if field.is_required() or field.default is None else _json(field.default),
                " ".join(field.description.split()),
            )
            for key, (_, field) in own.items()
            if not _is_section(_optional(field.annotation))
        ],
    )


def _json(default: Any) -> str:
    return json.dumps(int(default) if isinstance(default, float) and default % 1 == 0 else default)


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false"}


def _kind(schema: dict[str, Any]) -> str:
    """Say what a value may be."""
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one != {"type": "null"}]
        return ", or ".join(kinds)
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{_plain(v)}`" for v in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of: {_kind(schema['items'])}"
    if schema.get("type") == "object":
        (values,) = schema.get(
            "patternProperties", {"": schema.get("additionalProperties")}
        ).values()
        return f"by name: {_kind(values)}"
    if "$ref" in schema:
        return "the keys below"
    bounds = [f"{sign} {schema[word]:g}" for word, sign in _BOUNDS.items() if word in schema]
    return " ".join([_TYPES.get(schema.get("type"), "any"), ", ".join(bounds)]).strip()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
