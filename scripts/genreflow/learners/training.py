"""Training of Keras networks: what the CNNs and the FFNNs share."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from genreflow.corpus.tracks import PARTS
from genreflow.errors import NotPossible
from genreflow.runtime.files import atomic

HISTORY = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
"""Columns of a history; the losses are those that training minimises."""

IMPROVES = {"val_loss": "min", "loss": "min", "val_accuracy": "max"}
"""In which direction a watched quantity gets better."""

SCHEDULES = {"constant": 1.0, "cosine": 0.0}
"""Share of the learning rate that is left at the end of each schedule."""


def require_parts(parts: np.ndarray, genres: np.ndarray) -> None:
    """Raise NotPossible unless a network can be trained, stopped and tested.

    `parts` and `genres` are those of each track, text of shape (n,).
    """
    purposes = ("to learn from", "to stop the training by", "to test with")
    for part, purpose in zip(PARTS, purposes, strict=True):
        if part not in parts:
            raise NotPossible(f"no track is in the {part} part, {purpose}")
    lacking = sorted(set(genres) - set(genres[parts == PARTS[0]]))
    if lacking:
        raise NotPossible(f"genre {lacking[0]!r} has no track in the training part to learn from")


class Batches(keras.utils.PyDataset):
    """Batches of inputs `x` and labels; the order of a shuffled epoch follows from seed and epoch.

    `labels` are the class of each row, and `workers` settings of `keras.utils.PyDataset`; a
    `shuffle_seed` of None keeps the order.
    """

    def __init__(
        self,
        x: Any,
        labels: np.ndarray,
        *,
        batch_size: int,
        shuffle_seed: int | None = None,
        **workers: int,
    ):
        super().__init__(**workers)
        self._x, self._labels = x, np.asarray(labels)
        self._batch_size, self._seed = batch_size, shuffle_seed
        self._epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs and labels of a batch."""
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self.inputs(rows, index), self._labels[rows]

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._epoch += 1
        self._order = np.arange(len(self._labels))
        if self._seed is not None:
            self._order = np.random.default_rng([self._seed, self._epoch]).permutation(self._order)

    def inputs(self, rows: np.ndarray, index: int) -> np.ndarray:
        """Return the inputs of some rows, those of the batch `index`."""
        return self._x[rows]


class Checkpoint:
    """A file with the state of a training after its last whole epoch.

    That is more than weights: what the optimiser and the generators of random numbers hold, the
    best weights so far, and how long ago that was. As a context it deletes the file at the end. The
    fingerprint tells which training this is; a file with another one is not used.
    """

    def __init__(self, path: str | Path, fingerprint: str):
        self.path, self._fingerprint = Path(path), fingerprint

    def write(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        """Write arrays, and a state of plain values, in the place of what was there."""
        described = json.dumps({**state, "fingerprint": self._fingerprint})
        with atomic(self.path) as part, part.open("wb") as file:
            np.savez(file, state=np.array(described), **arrays)

    def read(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return what was written last, or None if there is nothing, or of another training."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            state = json.loads(str(arrays.pop("state")[()]))
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        return (arrays, state) if state.pop("fingerprint") == self._fingerprint else None

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Delete the file, unless the block was interrupted and may go on."""
        if kind is None or issubclass(kind, NotPossible):
            self.path.unlink(missing_ok=True)


def train(
    model: keras.Model,
    training,
    validation,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: str | keras.losses.Loss = "sparse_categorical_crossentropy",
    epochs: int,
    monitor: str,
    patience: int,
    report: Callable[[str], None],
    class_weight: Mapping[int, float] | None = None,
    checkpoint: Checkpoint | None = None,
) -> pd.DataFrame:
    """Train a classifier, and restore its best weights.

    Parameters
    ----------
    model, training, validation
        Network that ends in a softmax, with its first weights; `keras.utils.PyDataset` of inputs
        and labels, at their first epoch.
    optimizer, loss, class_weight
        The optimizer is not used before; the loss is a cross-entropy of the labels, with a weight
        of each class.
    epochs, monitor, patience
        Training ends after at most so many epochs, or so many in which what early stopping watches,
        a key of `IMPROVES`, doesn't improve.
    report
        Called with a line of text after each epoch.
    checkpoint
        What it holds is not done again, and the result is that of a training that was never
        interrupted.

    Returns
    -------
    pandas.DataFrame
        The history: one row per epoch, columns `HISTORY`.
    """
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=["accuracy"],
        jit_compile=False,  # measured: no gain in float32, a loss in bfloat16
    )
    model.optimizer.build(model.trainable_variables)
    stopping = keras.callbacks.EarlyStopping(
        monitor=monitor, mode=IMPROVES[monitor], patience=patience, restore_best_weights=True
    )
    kept = _History(checkpoint, stopping)

    def report_epoch(epoch: int, logs: dict) -> None:
        report(
            f"epoch {epoch + 1} of at most {epochs}: "
            f"loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}, "
            f"validation loss {logs['val_loss']:.3f}, accuracy {logs['val_accuracy']:.3f}"
        )

    done = kept.restore(model)
    for _ in range(done):
        training.on_epoch_end()
    if kept.stopped or done >= epochs:
        model.set_weights(kept.best_weights)
    else:
        if done:
            report(f"goes on after epoch {done}, where it was interrupted")
        model.fit(
            training,
            validation_data=validation,
            initial_epoch=done,
            epochs=epochs,
            verbose=0,
            shuffle=False,  # the data set shuffles itself
            class_weight=class_weight,
            callbacks=[stopping, kept, keras.callbacks.LambdaCallback(on_epoch_end=report_epoch)],
        )
    return pd.DataFrame(kept.rows, columns=HISTORY)


class _History(keras.callbacks.Callback):
    """Keep the history and, where there is a checkpoint, the state after each epoch.

    It stands after early stopping in the list of callbacks, whose state it reads.
    """

    def __init__(self, checkpoint: Checkpoint | None, stopping: keras.callbacks.EarlyStopping):
        super().__init__()
        self._checkpoint, self._stopping = checkpoint, stopping
        self._restored: dict[str, Any] = {}
        self.rows: list[list[float]] = []
        self.stopped = False
        self.best_weights: list[np.ndarray] | None = None

    def restore(self, model: keras.Model) -> int:
        """Put a model into the state of the checkpoint; return how many epochs it has had."""
        read = self._checkpoint.read() if self._checkpoint else None
        if read is None:
            return 0
        arrays, state = read
        for name, variable in _variables(model).items():
            variable.assign(arrays[name])
        self.best_weights = [arrays[f"best_{n}"] for n in range(len(model.weights))]
        self.rows, self.stopped = state.pop("rows"), state.pop("stopped")
        self._restored = state
        return len(self.rows)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Let early stopping know what went before."""
        if self._restored:
            vars(self._stopping).update(self._restored, best_weights=self.best_weights)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Note the epoch, and write the checkpoint."""
        self.rows.append([epoch + 1, *(float(logs[name]) for name in HISTORY[1:])])
        if self._checkpoint is None:
            return
        arrays = {name: np.asarray(variable) for name, variable in _variables(self.model).items()}
        best = {f"best_{n}": array for n, array in enumerate(self._stopping.best_weights)}
        state = {
            "rows": self.rows,
            "stopped": bool(self.model.stop_training),
            "best": float(self._stopping.best),
            "wait": self._stopping.wait,
            "best_epoch": self._stopping.best_epoch,
        }
        self._checkpoint.write(arrays | best, state)


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Name all that a training changes: weights, random states, the optimiser's variables."""
    metrics = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    found = {f"model_{n}": variable for n, variable in enumerate(own)}
    return found | {f"optimizer_{n}": v for n, v in enumerate(model.optimizer.variables)}


def schedule(
    kind: str, *, learning_rate: float, steps: int, warmup: int = 0
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a learning rate that warms up linearly, then stays or falls.

    The cosine is that of Loshchilov and Hutter, "SGDR" (ICLR 2017), without restarts.

    `kind` is a key of `SCHEDULES`, `learning_rate` the highest; `steps` are those of the whole
    training, and `warmup` is how many of these the rate rises in, from 0.
    """
    rise = {"initial_learning_rate": 0.0, "warmup_target": learning_rate, "warmup_steps": warmup}
    return keras.optimizers.schedules.CosineDecay(
        decay_steps=max(steps - warmup, 1),
        alpha=SCHEDULES[kind],
        **(rise if warmup else {"initial_learning_rate": learning_rate}),
    )


def optimizer(learning_rate: Any, *, weight_decay: float) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov and Hutter, ICLR 2019) that decays the kernels alone.

    `weight_decay` is what a kernel loses a step, as a share of itself and of the learning rate (a
    number, or what `schedule` returns); 0 is Adam.
    """
    adam = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
    adam.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adam


def save(model: keras.Model, path: str | Path) -> None:
    """Save a model as ``.keras``."""
    with atomic(path) as part:
        model.save(part)
