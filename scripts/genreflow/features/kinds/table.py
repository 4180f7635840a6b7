"""Features that somebody else computed, from a table: FMA's, Kaggle's, anybody's embeddings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from genreflow.errors import GenreflowError
from genreflow.features import feature_set
from genreflow.features.feature_set import SOURCE, Clips, FeatureSet, Planned


class Settings(feature_set.Settings):
    """The name of the table's file."""

    source: str


class Table(FeatureSet):
    """Features that no clip can be turned into."""

    kind = "table"
    plural = "tables"
    Settings: ClassVar = Settings
    needs = SOURCE
    from_audio = False
    memory_mb = 8000

    @classmethod
    def planned(cls, name: str, path: str) -> Planned:
        """Return what the features of a table are, by their name."""
        feature_set = cls(name, {"source": Path(path).name})
        called = "published hand-crafted features" if name == "handcrafted" else f"the {name}"
        title = called.replace("/", " ")
        return Planned(feature_set, files={"table": path}, title=title)

    def require_audio(self) -> NoReturn:
        """Say that no audio can be turned into them."""
        raise GenreflowError(
            f"the features {self.name} were not computed from audio but taken from a table "
            f"({self.settings['source']}), so that new audio can't be predicted: use a learner on "
            "features that are computed (handcrafted.source: audio, transfer.backbones)"
        )

    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Refuse to, as `require_audio` does."""
        self.require_audio()

    def extract(self, clips: Sequence[Any]) -> dict[str, Any]:
        """Refuse to, as `require_audio` does."""
        self.require_audio()
