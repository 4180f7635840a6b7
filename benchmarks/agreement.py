"""Count the predictions that change where OpenVINO takes the place of Keras, by cut and precision.

The engine is chosen by how far its features agree with Keras's, after standardisation, as
classifiers see them (`engines.agreement`). This shows what that number means: how similar the
features are as they are, how similar after standardisation, and how many predictions of a logistic
regression change, in five folds over all clips, beside those that relative noise of 0.001 changes.
Without arguments the network is trained on the spot, on synthetic music. `--network` takes another
one that Keras can load (of images of three channels with levels from 0 to 255), and `--clips` a
folder of real ones, GENRE.NUMBER.wav or in a sub-folder per genre.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import keras
import numpy as np
from genreflow import config as configuration
from genreflow.audio.decode import native
from genreflow.audio.wav import FULL_SCALE
from genreflow.corpus.styles import STYLES
from genreflow.corpus.synthesis import render
from genreflow.features import engines, image_networks, spectrograms
from genreflow.learners import architectures
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NOISE, ARTISTS = 1e-3, 10
DEFAULTS = configuration.complete({})
IMAGES = spectrograms.Settings(**DEFAULTS["audio"] | DEFAULTS["spectrogram"] | {"duration": 15.0})


def images_of(clips: Sequence[np.ndarray]) -> np.ndarray:
    log_mel = spectrograms.LogMel(IMAGES)
    scaled = (np.clip(np.round(clip * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1) for clip in clips)
    return np.stack([log_mel.image(samples.astype(np.int16))[0] for samples in scaled])


def synthetic() -> tuple[np.ndarray, np.ndarray]:
    """Return images of synthetic music, and their genres."""
    genres = np.repeat(list(STYLES), ARTISTS)
    clips = [
        render(
            genre,
            seed=1,
            artist=number,
            clip=number,
            rate=IMAGES.sample_rate,
            channels=1,
            seconds=IMAGES.duration,
        )[:, 0]
        for number, genre in enumerate(genres)
    ]
    return images_of(clips), genres


def real(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images of real clips at 22,050 Hz, and their genres."""
    paths = sorted(folder.glob("*.*.wav")) or sorted(folder.glob("*/*.wav"))
    loose = paths[0].parent == folder
    genres = [path.name.partition(".")[0] if loose else path.parent.name for path in paths]
    return images_of([native(path, duration=IMAGES.duration)[0] for path in paths]), np.array(
        genres
    )


def trained(images: np.ndarray, genres: np.ndarray, folder: Path) -> tuple[str, list[str]]:
    """Train the study's simple CNN on the images; return its file and some cuts."""
    keras.utils.set_random_seed(0)
    names, labels = np.unique(genres, return_inverse=True)
    network = architectures.simple(
        images.shape[1:],
        len(names),
        geometry="resized",
        filters=[64, 64, 128, 128],
        kernel_size=5,
        dropout=0.2,
        momentum=0.5,
    )
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(images[..., np.newaxis], labels, epochs=12, batch_size=16, verbose=0)
    path = str(folder / "trained.keras")
    network.save(path)
    return path, ["pool_2", "pool_3", "flatten"]


def predictions(features: np.ndarray, genres: np.ndarray) -> np.ndarray:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_predict(classifier, features, genres, cv=folds)


def by(run: engines.Run, images: np.ndarray) -> list[np.ndarray]:
    """Return the features of all images by an engine, float64 (images, size) of each cut."""
    size = engines.BATCH_SIZE
    batches = [run(images[start : start + size]) for start in range(0, len(images), size)]
    joined = (np.concatenate(cut) for cut in zip(*batches, strict=True))
    return [cut.reshape(len(images), -1).astype(np.float64) for cut in joined]


def table(network: str, cuts: Sequence[str], images: np.ndarray, genres: np.ndarray) -> None:
    """Print how features of each cut agree with Keras's, and what changes because of it."""
    backbone = image_networks.build(network, cuts)
    whole = backbone.on_images(images.shape[1:])
    expected = by(engines.by_keras(whole), images)
    converted = engines.convert(whole, list(backbone.cuts))
    rng = np.random.default_rng(0)
    ways = {
        f"OpenVINO, {precision}": by(
            engines.by_openvino(converted, precision=precision, threads=os.cpu_count()), images
        )
        for precision in engines.precisions()
    }
    ways["noise of 0.001"] = [
        cut * (1 + NOISE * rng.standard_normal(cut.shape)) for cut in expected
    ]
    print(
        "| cut | size | accuracy, % | way | cosine | standardised | taken | predictions changed |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for number, cut in enumerate(backbone.cuts):
        reference = expected[number]
        predicted = predictions(reference, genres)
        for way, found in ways.items():
            similar = engines.agreement(found[number], reference)
            changed = np.sum(predictions(found[number], genres) != predicted)
            print(
                f"| {cut} | {reference.shape[1]} | {100 * np.mean(predicted == genres):.0f} "
                f"| {way} | {engines.cosine(found[number], reference):.6f} | {similar:.6f} "
                f"| {'yes' if similar > engines.AGREEMENT else 'no'} | {changed} of {len(genres)} |"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="", help="a .keras file")
    parser.add_argument("--cuts", nargs="+", help="names of its layers")
    parser.add_argument("--clips", type=Path, help="a folder of real clips")
    args = parser.parse_args()
    images, genres = real(args.clips) if args.clips else synthetic()
    with tempfile.TemporaryDirectory() as folder:
        network, cuts = args.network, args.cuts
        if not network:
            network, cuts = trained(images, genres, Path(folder))
        table(network, cuts, images, genres)
    return 0


if __name__ == "__main__":
    sys.exit(main())
