"""Clips as log-mel images, from a shard of them."""

from pathlib import Path

from genreflow.features import spectrograms
from genreflow.features.feature_set import Clips


def images(shard: str | Path) -> Clips:
    """Yield the log-mel images of a shard, read eight at a time."""
    with spectrograms.open_images(shard) as file:
        track_ids = file["track_id"].asstr()[:].tolist()
        for start in range(0, len(track_ids), 8):
            block = file["images"][start : start + 8]
            for track_id, image in zip(track_ids[start : start + 8], block, strict=True):
                yield track_id, lambda image=image: image
