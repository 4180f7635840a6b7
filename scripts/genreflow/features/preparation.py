"""Preparing image networks: building them, and choosing what runs them for a whole corpus."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from genreflow.audio.wav import FULL_SCALE
from genreflow.corpus.styles import STYLES
from genreflow.corpus.synthesis import render
from genreflow.features import backend, engines, spectrograms

TRIAL_RATE, TRIAL_SECONDS = 22050, 30
"""Sampling rate [Hz] and length [s] of the music that engines are compared on."""


def make(
    folder: str | Path,
    settings: Mapping[str, Any],
    *,
    images: Mapping[str, Any],
    weights: str = "",
    threads: int = 1,
    **unused: Any,
) -> str:
    """Prepare the network of a feature set in a folder, for the rule ``network``; say what runs it.

    Parameters
    ----------
    settings
        As `features.kinds.image_network` plans it.
    images
        The fields of `features.spectrograms.Settings`.
    weights
        The file of the weights; "" where they are random, or in the network's own file.

    Raises
    ------
    GenreflowError
        As `features.image_networks.build` and `features.engines.prepare` do.
    """
    from genreflow.features import image_networks

    network, seed, preprocessing = (settings[key] for key in ("network", "seed", "preprocessing"))
    backend.configure(threads=threads, seed=seed)
    backbone = image_networks.build(
        network,
        settings["cuts"],
        weights=weights or image_networks.RANDOM,
        seed=seed,
        preprocessing=preprocessing,
    )
    own = network.endswith(".keras")
    prepared = engines.prepare(
        folder,
        backbone,
        trial_images(spectrograms.Settings(**images)),
        engine=settings["engine"],
        threads=threads,
        settings={
            "network": Path(network).name,
            "weights": Path(network).name if own else settings["weights"],
            "seed": seed,
            "preprocessing": preprocessing if own else network,
        },
    )
    slower = f", which is slower than OpenVINO ({prepared.why})" if prepared.why else ""
    return f"{prepared.engine} in {prepared.precision}{slower}"


def trial_images(settings: spectrograms.Settings) -> np.ndarray:
    """Return images of synthetic music, on which engines can be compared before there is a corpus.

    So a backbone needn't be prepared again for another corpus, or for one more clip. They are
    uint8, (n, n_mels, n_frames).
    """
    log_mel = spectrograms.LogMel(settings)
    images = []
    for number, genre in enumerate(list(STYLES)[: engines.BATCH_SIZE]):
        clip = render(
            genre,
            seed=0,
            artist=number,
            clip=number,
            rate=TRIAL_RATE,
            channels=1,
            seconds=min(settings.duration, TRIAL_SECONDS),
        )[:, 0]
        samples = soxr.resample(clip, TRIAL_RATE, settings.sample_rate)
        image, _ = log_mel.image((samples * (FULL_SCALE - 1)).astype(np.int16))
        images.append(image)
    return np.stack(images)
