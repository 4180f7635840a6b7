"""Hand-crafted features, from the source audio at its own rate."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from genreflow.errors import GenreflowError, Unusable
from genreflow.features import feature_set
from genreflow.features.feature_set import SOURCE, Clips, FeatureSet, Planned, Sound

if TYPE_CHECKING:
    import numpy as np


MIN_RATE = 12_801
"""As of `features.analysis`, which isn't imported before it is used [Hz]."""


class Settings(feature_set.Settings):
    """As for `features.handcrafted.extract`, and how much of a file is looked at [s].

    Rates may also be one for all files [Hz].
    """

    features: Annotated[list[str], Field(min_length=1, max_length=100)]
    rates: Literal["native", "reference"] | Annotated[int, Field(ge=MIN_RATE, le=192_000)]
    duration: Annotated[float, Field(gt=0, le=3600)]


class Handcrafted(FeatureSet):
    """The features of `features.handcrafted`."""

    kind = "handcrafted"
    plural = "hand-crafted features"
    Settings: ClassVar = Settings
    needs = SOURCE
    memory_mb = 2000

    @classmethod
    def planned(cls, settings: Mapping[str, Any]) -> Planned:
        """Return what a section ``handcrafted`` of the configuration asks for."""
        kept = {key: settings[key] for key in ("features", "rates", "duration")}
        return Planned(cls("handcrafted", kept), title=cls.plural)

    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Yield the audio of the sources."""
        from genreflow.features import source_clips

        return source_clips.sources(zip(tracks, files, strict=True), duration=self.seconds)

    def column_names(self, output: str, size: int) -> list[str]:
        """Return the names of the columns."""
        from genreflow.features import fma_tables, handcrafted

        return fma_tables.names(handcrafted.columns(self.settings["features"]))

    def extract(self, clips: Sequence[Sound]) -> dict[str, "np.ndarray"]:
        """Compute the features of clips, float32 (clips, columns)."""
        import numpy as np

        from genreflow.features import handcrafted

        rates = self.settings["rates"]
        known = {
            "features": self.settings["features"],
            "rates": rates if isinstance(rates, str) else "native",
        }
        try:
            rows = [handcrafted.extract(*self._at_rate(clip), **known) for clip in clips]
        except GenreflowError as error:
            raise Unusable(str(error)) from None
        return {"": np.array(rows, dtype=np.float32)}

    def _at_rate(self, clip: Sound) -> Sound:
        """Return what is looked at of a clip, at the rate that all clips are to have."""
        samples, rate = clip.samples[: round(self.seconds * clip.rate)], clip.rate
        if self.settings["rates"] in ("native", "reference", rate):
            return Sound(samples, rate)
        import soxr

        return Sound(soxr.resample(samples, rate, self.settings["rates"]), self.settings["rates"])
