"""The small corpora of these tests, and the settings that go with them."""

from copy import deepcopy

import numpy as np
import soundfile

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
