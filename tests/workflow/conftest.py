"""Tiny corpora, a run that is done once, and plans in processes of their own."""

import shutil
import subprocess
import sys
from copy import deepcopy

import harness
import numpy as np
import pytest
import soundfile
import yaml

RATE = 16000
"""Of the clips [Hz]; their WAVs have half of it."""

NOT_TINY = ["vgg16/fc2", "resnet50/avg_pool", "musicnn/penultimate", "joined/music"]
"""Feature matrices of networks that take their time."""

TINY = {
    "corpus": {
        "name": "tiny",
        "kind": "folder",
        "audio": "audio",
        "levels": ["genre", "artist"],
        "shards": 2,
        "min_duration": 0.5,
    },
    "splits": ["grouped"],
    "split": {"validation": 0.2, "test": 0.2},
    "audio": {"sample_rate": RATE // 2, "duration": 3.0},
    "spectrogram": {"n_fft": 512, "hop_length": 256, "n_mels": 32, "f_max": 4000},
    "augment": {"frequency_mask": 6, "time_mask": 0.15},
    "cnn": {
        "run": ["simple", "tuned-augmented", "residual", "finetuned"],
        "variants": {
            "simple": {"filters": [4, 4], "kernel_size": 3},
            "tuned-augmented": {"filters": [4, 4], "epochs": 2},
            "residual": {"width": 2, "stages": 1, "epochs": 2},
            "finetuned": {
                "network": "tiny.keras",
                "cut": "pool",
                "trainable_from": "first",
                "preprocessing": "tf",
                "augment": False,
            },
        },
        "search": {
            "spaces": {"study": {"kernel_size": [2, 3], "filters": [2, 4]}},
            "max_epochs": 2,
            "factor": 2,
        },
        "batch_size": 4,
        "epochs": 2,
    },
    "handcrafted": {"features": ["rmse", "zcr"]},
    "ffnn": {"units": [[4]], "epochs": 2},
    "transfer": {
        "backbones": {
            "tiny": {"network": "tiny.keras", "cuts": ["first", "pool"], "preprocessing": "tf"}
        },
        "engine": "openvino",
        "joined": {"both": ["tiny/first", "tiny/pool"]},
        "run": ["svm-linear"],
    },
    "classify": {
        "features": {
            "handcrafted": ["all"],
            "tiny/pool": [0.9],
            "joined/both": ["all"],
            **{key: [] for key in NOT_TINY},
        },
        "run": ["logistic-regression"],
        "folds": 2,
    },
    "latency": {"clips": 0},  # for times differ from run to run
    "ensembles": {
        "members": {
            "both": {
                "how": "average",
                "of": [
                    *("cnn/simple", "cnn/tuned-augmented", "cnn/residual", "cnn/finetuned"),
                    *("ffnn/4", "classify/handcrafted/all/logistic-regression"),
                    "classify/tiny/pool/pca-0.90/svm-linear",
                    "classify/joined/both/all/svm-linear",
                ],
            }
        }
    },
}

DEMO = {"corpus": {"genres": 2, "clips_per_genre": 5, "max_excluded": 0.8, "shards": 2}}

WHOLE_DEMO = {
    "cnn": {"run": ["simple"], "epochs": 3},
    "ffnn": {"units": [[64]], "epochs": 30},
    "transfer": {"run": ["svm-rbf"]},
    "classify": {
        "features": {
            **{key: [] for key in NOT_TINY},
            "resnet50/avg_pool": [0.9],
        },
        "run": ["svm-linear"],
    },
    "latency": {"clips": 3},
    "ensembles": {
        "members": {
            "average": {"of": ["cnn/simple", "ffnn/64", "classify/handcrafted/all/svm-linear"]}
        }
    },
}
"""Settings for the demo corpus as it is, with a learner of each kind."""

TINY_BACKBONE = """
import keras
from keras import layers
keras.utils.set_random_seed(0)
image = keras.Input((16, 16, 3))
x = layers.Conv2D(4, 3, activation="relu", name="first")(image)
keras.Model(image, layers.GlobalAveragePooling2D(name="pool")(x)).save("tiny.keras")
"""

DEMO_TARGETS = ("results/demo/corpus/tracks.csv", "results/demo/source/fma_metadata/tracks.csv")


def merged(base, changes):
    """Merge nested mappings, as Snakemake does with --config over a configuration."""
    result = deepcopy(base)
    for key, value in changes.items():
        deep = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if deep else value
    return result


def write_clip(path, *, seed, frequency, seconds=2.5):
    """Write a tone in noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency * time) + 0.05 * noise, RATE)


def write_corpus(folder):
    """Write 3 genres of 4 artists with 6 clips."""
    genres = {"Ambient": 220, "Techno": 880, "Waltz": 1760}
    for g, (genre, base) in enumerate(genres.items()):
        for number in range(6):
            artist, seed = f"artist-{(0, 0, 1, 1, 2, 3)[number]}", 100 * g + number
            write_clip(
                folder / genre / artist / f"{number}.wav",
                seed=seed,
                frequency=base * (1 + number / 20),
                seconds=2.5 + 0.5 * (number % 3),
            )


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep Snakemake's cache of sources out of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def plan(_own_cache):
    """Return the jobs that a run with some configuration would do."""

    def planned(workdir, changes=None, *, base=TINY, root=harness.ROOT, targets=()):
        config = merged(base, changes or {})
        return harness.in_new_process(harness.plan, workdir, config, root, targets)

    return planned


def run_to_the_end(workdir, *args):
    done = harness.snakemake(workdir, *args)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def whole_demo(once, _own_cache):
    """Run the demo corpus with the settings of `WHOLE_DEMO`, once."""

    def make(folder):
        (folder / "fewer.yaml").write_text(yaml.safe_dump(WHOLE_DEMO, sort_keys=False))
        run_to_the_end(folder, "--configfile", "fewer.yaml")

    return once("whole_demo", make)


@pytest.fixture(scope="session")
def corpus(once):
    """Make a working folder with the tiny corpus and nothing else. Not to be written to."""

    def make(folder):
        write_corpus(folder / "audio")
        subprocess.run([sys.executable, "-c", TINY_BACKBONE], cwd=folder, check=True)
        shutil.copy(folder / "tiny.keras", folder / "other.keras")
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))
        (folder / "demo.yaml").write_text(yaml.safe_dump(DEMO, sort_keys=False))

    return once("tiny", make)


def _copied(source, tmp_path_factory, name):
    return harness.copied(source, tmp_path_factory.mktemp(name) / "work")


@pytest.fixture
def fresh(corpus, tmp_path_factory):
    """Return a working folder of one's own in which nothing was run."""
    return _copied(corpus, tmp_path_factory, "fresh")


@pytest.fixture(scope="session")
def template(corpus, once):
    """Run the tiny corpus to its end, once. Not to be written to."""
    return once(
        "template",
        lambda folder: run_to_the_end(harness.copied(corpus, folder), "--configfile", "tiny.yaml"),
    )


@pytest.fixture
def finished(template, tmp_path_factory):
    """Return a working folder of one's own in which everything was run, times and all."""
    return _copied(template, tmp_path_factory, "finished")


@pytest.fixture(scope="module")
def finished_module(template, tmp_path_factory):
    """Return the same for plans that change nothing, shared by a module's tests."""
    return _copied(template, tmp_path_factory, "finished")


@pytest.fixture(scope="session")
def demo_template(corpus, once):
    """Make the smallest demo corpus with its manifest and metadata, once."""

    def make(folder):
        run_to_the_end(harness.copied(corpus, folder), *DEMO_TARGETS, "--configfile", "demo.yaml")

    return once("demo_template", make)
