"""What all sections of the configuration share: types of values, and errors in plain words."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from genreflow.errors import nearest_first

Problem = tuple[tuple[str | int, ...], str]
"""Where something is wrong, as keys from the section on, and what."""


def nearest(word: Any, known: Iterable[Any], otherwise: str = "") -> str:
    """Return a question that names the nearest known word, if there is one."""
    near = nearest_first(str(word), map(str, known), likeness=0.5)
    return f"; did you mean {near[0]}?" if near else otherwise


def refuse(problems: Iterable[Problem]) -> None:
    """Raise an error that holds all problems, if there are any.

    Raises
    ------
    pydantic.ValidationError
        To be called in a validator: pydantic puts the place of the section before each.
    """
    lines = [
        InitErrorDetails(type=_refused(text), loc=place, input=None) for place, text in problems
    ]
    if lines:
        raise ValidationError.from_exception_data("configuration", lines)


def _refused(text: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{text}", {"text": text})


class Section(BaseModel):
    """A part of the configuration; its fields are the keys, the text below each its meaning."""

    model_config = ConfigDict(
        extra="forbid", validate_default=True, defer_build=True, use_attribute_docstrings=True
    )

    decided_by: ClassVar[str] = ""
    """The key whose value decides which other keys there are."""

    renamed: ClassVar[dict[str, str]] = {}
    """Keys of earlier versions, with their names of now."""

    @model_validator(mode="wrap")
    @classmethod
    def _in_plain_words(cls, given: Any, validate: Callable[[Any], Self]) -> Self:
        try:
            section = validate(given)
        except ValidationError as error:
            refuse((one["loc"], _told(one, cls)) for one in error.errors(include_url=False))
        else:
            refuse(section.problems())
            return section

    def problems(self) -> Iterable[Problem]:
        """Tell what is wrong between keys each of which is right by itself."""
        return ()

    @classmethod
    def all_keys(cls) -> list[str]:
        """Return the keys of the section."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def _told(error: Any, section: type[Section]) -> str:
    """Say in plain words what is wrong."""
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    place = error["loc"]
    if kind == "refused":
        return context["text"]
    key = section.decided_by
    where = f" where {key} is {section.model_fields[key].default}" if key else ""
    if kind == "extra_forbidden":
        if place[-1] in section.renamed:
            return f"is called {section.renamed[place[-1]]} now"
        known = section.all_keys()
        own = [name for name in known if name.replace("-", "_") in section.__annotations__]
        near = nearest(place[-1], known, f"; known here: {', '.join(own)}")
        return f"no such key{where}{near}"
    if kind == "missing":
        return f"missing{where}"
    if kind == "literal_error":
        allowed = context["expected"].replace(" or ", ", ").replace("'", "")
        near = nearest(found, allowed.split(", "))
        return f"expected one of {allowed}; found {found!r}{near}"
    expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else error["msg"]
    return f"expected {expected}, found {found!r}"


_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list, such as [a, b]",
    "dict_type": "keys and values below it",
    "model_type": "keys and values below it",
    "model_attributes_type": "keys and values below it",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_short": "some text",
    "too_short": "at least {min_length} of them",
}
"""What pydantic's types of errors mean."""


def _number(kind: type) -> Callable[[Any], Any]:
    """Return what reads numbers that are text: Snakemake hands on so what is nested in --config."""

    def read(value: Any) -> Any:
        try:
            return kind(value) if isinstance(value, str) else value
        except ValueError:
            return value

    return read


def flag(value: Any) -> Any:
    """Read a truth value that is text, with the words of YAML."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _without_repeats(values: list) -> list:
    repeated = next((one for n, one in enumerate(values) if one in values[:n]), None)
    if repeated is not None:
        raise _refused(f"{repeated!r} stands there twice")
    return values


def expected(words: str) -> WrapValidator:
    """Return what tells by some words of its own what a value of a type should be."""

    def check(value: Any, validate: Callable[[Any], Any]) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise _refused(f"expected {words}, found {value!r}") from None

    return WrapValidator(check)


def matching(pattern: str, words: str) -> Any:
    """Return the type of texts that match a pattern, which some words describe."""
    return Annotated[str, StringConstraints(pattern=pattern), expected(words)]


T = TypeVar("T")


def whole(**bounds: int) -> Any:
    """Return the type of whole numbers within bounds."""
    return Annotated[int, Strict(), Field(**bounds), BeforeValidator(_number(int))]


def _real(**bounds: float) -> Any:
    finite = AllowInfNan(False)
    return Annotated[float, Strict(), finite, Field(**bounds), BeforeValidator(_number(float))]


Whole, Natural, Positive = whole(), whole(ge=0), whole(ge=1)
Number, Share = _real(), _real(gt=0, lt=1)
Flag = Annotated[bool, Strict(), BeforeValidator(flag)]
Set = Annotated[list[T], AfterValidator(_without_repeats)]
"""A list in which nothing stands twice."""


Text = Annotated[str, Field(min_length=1)]
Name = matching(r"^[a-z0-9][a-z0-9-]*$", "a name of small letters, digits and -")
Word = matching(r"^[A-Za-z0-9_]+$", "a name of letters, digits and _")
Monitor = Literal["val_loss", "loss", "val_accuracy"]
ClassWeight = Literal["none", "balanced"]
Preprocessing = Literal["none", "tf", "torch", "caffe"]


def chosen(base: type[Section], default: str) -> WrapValidator:
    """Return what picks among the kinds of a section by the value of the key that decides.

    Unlike pydantic's tagged unions it leaves the tag out of the places of errors, and takes kinds
    that are added later.
    """
    key = base.decided_by

    def pick(given: Any, _: Any) -> Section:
        kinds = {kind.model_fields[key].default: kind for kind in base.__subclasses__()}
        if isinstance(given, base):
            return given
        name = given.get(key, default) if isinstance(given, dict) else default
        if name not in list(kinds):
            told = f"expected one of {', '.join(kinds)}; found {name!r}{nearest(name, kinds)}"
            refuse([((key,), told)])
        return kinds[name].model_validate(given)

    return WrapValidator(pick)


def plain(value: Any) -> Any:
    """Return a section as plain nested mappings, keys of a user's choice sorted.

    Snakemake compares params as text, so the same settings must always come in the same order.
    """
    if isinstance(value, Section):
        fields = type(value).model_fields.items()
        given = ((field.alias or name, getattr(value, name)) for name, field in fields)
        return {name: plain(one) for name, one in given if one is not None}
    if isinstance(value, dict):
        return {name: plain(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value
