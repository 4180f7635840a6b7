"""Features that were published in a table: those that FMA has of its own tracks."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from genreflow.errors import GenreflowError
from genreflow.features import feature_set
from genreflow.features.feature_set import SOURCE, Clips, FeatureSet, Planned


class Settings(feature_set.Settings):
    """The name of the table."""

    source: str


class Published(FeatureSet):
    """Features that no clip can be turned into."""

    kind = "published"
    Settings: ClassVar = Settings
    needs = SOURCE
    from_audio = False

    @classmethod
    def planned(cls, settings: Mapping[str, Any]) -> Planned:
        """Return what a section ``handcrafted`` of the configuration asks for."""
        return Planned(cls("handcrafted", {"source": settings["table"]}))

    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Refuse to, as `require_audio` does."""
        self.require_audio()
        raise AssertionError

    def require_audio(self) -> None:
        """Say that no audio can be turned into them."""
        raise GenreflowError(
            f"the features {self.name} were not computed from audio but taken from a table "
            f"({self.settings['source']}), so that new audio can't be predicted: set "
            "handcrafted.source to audio, or use a learner on other features"
        )

    def extract(self, clips: Sequence[Any]) -> dict[str, Any]:
        """Refuse to, as `require_audio` does."""
        self.require_audio()
        raise AssertionError
