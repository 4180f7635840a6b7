"""Preparing image networks: building them, and choosing what runs them for a whole corpus."""

from collections.abc import Callable, Mapping, Sequence
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
    network: str = "",
    weights: str = "",
    threads: int = 1,
) -> str:
    """Prepare the network of a feature set, for the rule ``network``.

    Parameters
    ----------
    folder
        Where it shall be.
    settings
        As `features.kinds.image_network` plans it.
    images
        The fields of `features.spectrograms.Settings`.
    network
        Not used: a file of a network is named in the settings, too.
    weights
        The file of the weights; "" for none.
    threads
        Processor threads.

    Returns
    -------
    str
        What runs it, for people.
    """
    backend.configure(threads=threads, seed=settings["seed"])
    pictures = trial_images(spectrograms.Settings(**images))
    prepared = prepare(folder, pictures, weights_file=weights or None, threads=threads, **settings)
    slower = f", which is slower than OpenVINO ({prepared.why})" if prepared.why else ""
    return f"{prepared.engine} in {prepared.precision}{slower}"


def prepare(
    folder: str | Path,
    images: np.ndarray,
    network: str,
    cuts: Sequence[str],
    *,
    weights: str,
    weights_file: str | Path | None = None,
    preprocessing: str = "none",
    seed: int = 0,
    engine: str = "auto",
    threads: int = 1,
    report: Callable[[str], None] = print,
) -> engines.Prepared:
    """Build a backbone and choose what runs it, for all shards of a corpus.

    Call `features.backend.configure` before.

    Parameters
    ----------
    folder
        Where the network shall be: what `features.kinds.image_network` runs.
    images : uint8, shape (n, n_mels, n_frames)
        What the engines are compared on; `trial_images` makes some.
    network, cuts, preprocessing, seed
        As for `features.image_networks.build`.
    weights
        What tables call them: ``random``, ``imagenet``, or another name.
    weights_file
        Where they are, if they aren't random and `network` isn't a ``.keras`` file, which holds
        its own.
    engine, threads, report
        As for `features.engines.prepare`.

    Raises
    ------
    GenreflowError
        As `features.image_networks.build` and `features.engines.prepare` do.
    """
    from genreflow.features import image_networks

    own = network.endswith(".keras")
    backbone = image_networks.build(
        network,
        cuts,
        weights=weights_file or image_networks.RANDOM,
        seed=seed,
        preprocessing=preprocessing,
    )
    settings = {
        "network": Path(network).name,
        "weights": Path(network).name if own else weights,
        "seed": seed,
        "preprocessing": preprocessing if own else network,
    }
    return engines.prepare(
        folder,
        backbone,
        images,
        engine=engine,
        threads=threads,
        settings=settings,
        report=report,
    )


def trial_images(settings: spectrograms.Settings) -> np.ndarray:
    """Return images of synthetic music, on which engines can be compared before there is a corpus.

    So a backbone needn't be prepared again for another corpus, or for one more clip.

    Parameters
    ----------
    settings
        Of the corpus's images.

    Returns
    -------
    numpy.ndarray of uint8, shape (n, n_mels, n_frames)
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
