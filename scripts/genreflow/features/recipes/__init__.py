"""Recipes: networks that are known by name, a YAML file each.

A file holds what somebody would otherwise write in the configuration: the keys of a backbone of the
kind onnx; and what people must know of it.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_CHECKED = ConfigDict(extra="forbid", frozen=True)

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]


class Package(BaseModel):
    """A package on PyPI that holds the weights. None of its code is run."""

    model_config = _CHECKED

    name: str
    version: str
    sha256: _Sha256  # of its wheel
    # The two files of a TensorFlow checkpoint, as places within the package; the backbone's
    # ``sha256`` is that of the first.
    data: str
    index: str
    builder: Literal["genreflow.features.musicnn"]  # what makes a network in ONNX of it

    @property
    def wheel(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.version}-py3-none-any.whl"


class Recipe(BaseModel):
    """A network."""

    model_config = _CHECKED

    title: str  # what it is, for people
    size: int | None = None  # of the download [bytes], if that is known
    tried: bool  # whether the file itself was ever run here, or only networks of its shape
    backbone: dict[str, Any]  # keys of the configuration
    package: Package | None = None  # where the weights are, if they aren't a file with an address


@cache
def known() -> dict[str, Recipe]:
    """Return all recipes by their names."""
    import yaml

    files = sorted(Path(__file__).parent.glob("*.yaml"))
    return {
        path.stem: Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in files
    }
