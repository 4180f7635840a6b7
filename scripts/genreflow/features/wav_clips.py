"""Clips as resampled audio, from their WAVs."""

from collections.abc import Iterable

from genreflow.audio.wav import read_wav
from genreflow.errors import Unusable
from genreflow.features.feature_set import Clips, Sound


def wavs(tracks: Iterable[tuple[str, str]], *, sample_rate: int) -> Clips:
    """Yield the resampled audio of tracks, given with their WAVs."""

    def read(path: str) -> Sound:
        samples = read_wav(path, sample_rate=sample_rate)
        if not len(samples):
            raise Unusable("it could not be decoded")
        return Sound(samples, sample_rate)

    for track_id, path in tracks:
        yield track_id, lambda path=path: read(path)
