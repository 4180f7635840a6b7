"""Training of Keras networks: what the CNNs and the FFNNs share."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from genreflow.files import atomic, rewrite_archive

HISTORY = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
"""Columns of a history; the losses are those that training minimises."""

IMPROVES = {"val_loss": "min", "loss": "min", "val_accuracy": "max"}
"""In which direction a watched quantity gets better."""


class EpochOrder:
    """The order of an epoch's rows: as they are, or shuffled by seed and epoch alone.

    Parameters
    ----------
    n
        How many rows.
    seed
        None keeps their order.
    """

    def __init__(self, n: int, seed: int | None):
        self._n, self._seed, self._epoch = n, seed, -1
        self.advance()

    def advance(self) -> None:
        """Go on to the next epoch."""
        self._epoch += 1
        if self._seed is None:
            self.rows = np.arange(self._n)
        else:
            self.rows = np.random.default_rng([self._seed, self._epoch]).permutation(self._n)


def train(
    model: keras.Model,
    training,
    validation,
    *,
    learning_rate: float,
    epochs: int,
    monitor: str,
    patience: int,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Train a classifier by Adam and cross-entropy, and restore its best weights.

    Parameters
    ----------
    model
        Network that ends in a softmax.
    training, validation
        `keras.utils.PyDataset` of inputs and integer labels.
    learning_rate
        Of Adam.
    epochs
        At most this many.
    monitor
        What early stopping watches: a key of `IMPROVES`.
    patience
        Training ends after this many epochs without improvement.
    report
        Called with a line of text after each epoch.

    Returns
    -------
    pandas.DataFrame
        The history: one row an epoch, columns `HISTORY`.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # measured: no gain in float32, half the speed in bfloat16
    )
    stopping = keras.callbacks.EarlyStopping(
        monitor=monitor, mode=IMPROVES[monitor], patience=patience, restore_best_weights=True
    )
    fitted = model.fit(
        training,
        validation_data=validation,
        epochs=epochs,
        verbose=0,
        shuffle=False,  # the data set shuffles itself
        callbacks=[stopping, _reporter(report, epochs)],
    )
    history = pd.DataFrame(fitted.history)
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    return history[HISTORY]


def _reporter(report: Callable[[str], None], epochs: int) -> keras.callbacks.Callback:
    def line(epoch: int, logs: dict) -> None:
        report(
            f"epoch {epoch + 1} of at most {epochs}: "
            f"loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}, "
            f"validation loss {logs['val_loss']:.3f}, accuracy {logs['val_accuracy']:.3f}"
        )

    return keras.callbacks.LambdaCallback(on_epoch_end=line)


def save(model: keras.Model, path: str | Path) -> None:
    """Save a model as ``.keras``, with the same bytes for the same model.

    Keras notes the time and the addresses of objects in the archive; both are replaced, so that a
    model that was trained again can be compared with the first.
    """
    with atomic(path) as part:
        model.save(part)
        rewrite_archive(part, _without_time_and_place)


def _without_time_and_place(members: dict[str, bytes]) -> dict[str, bytes]:
    metadata = json.loads(members["metadata.json"])
    metadata.pop("date_saved", None)
    config = members["config.json"].decode()
    seen: dict[str, str] = {}
    config = re.sub(
        r'("shared_object_id": )(\d+)',
        lambda found: found[1] + seen.setdefault(found[2], str(len(seen))),
        config,
    )
    return members | {
        "metadata.json": json.dumps(metadata).encode(),
        "config.json": config.encode(),
    }


def predictions(
    probabilities: np.ndarray,
    *,
    track_ids: np.ndarray,
    parts: np.ndarray,
    labels: np.ndarray,
    genres: list[str],
) -> pd.DataFrame:
    """Put a learner's probabilities into the table that every learner ends in.

    Parameters
    ----------
    probabilities : float, shape (n, len(genres))
    track_ids, parts : text, shape (n,)
    labels : int, shape (n,)
        Index of the true genre in `genres`.
    genres
        The classes, in the order of the columns.

    Returns
    -------
    pandas.DataFrame
        track_id, part, genre, predicted, and p_GENRE for each genre.
    """
    names = np.asarray(genres, dtype=object)
    table = pd.DataFrame(
        {
            "track_id": track_ids,
            "part": parts,
            "genre": names[labels],
            "predicted": names[probabilities.argmax(axis=1)],
        }
    )
    columns = [f"p_{genre}" for genre in genres]
    return table.join(pd.DataFrame(probabilities, columns=columns, index=table.index))
