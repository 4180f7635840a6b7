"""Fitted learners, loaded to predict by: a classifier or a network, whichever the file holds.

Nothing from a file runs as code: Keras loads in safe mode, with the layers of this project
registered; skops takes the types that `learners.skops_files` trusts, and a classifier is built
anew of what `learners.fitted` checked.
"""

import warnings
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from genreflow.errors import GenreflowError, in_a_line


class LoadedLearner(ABC):
    """A learner that was fitted, from its file."""

    devices: tuple[str, ...] = ("cpu",)
    """Where it can be run: cpu, and gpu where Keras finds one."""

    def __init__(self, path: Path):
        self.path = path

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities of the genres, float64 (n, genres).

        `x` are features, float32 (n, dimensions), or images, uint8 (n, n_mels, n_frames, 1);
        GenreflowError is raised if it can't be run on these.
        """
        try:
            # Texts in its file would reach the terminal as they are.
            with warnings.catch_warnings(action="ignore"):
                return self._probabilities(x)
        except GenreflowError:
            raise
        except Exception as error:  # what is wrong in a model makes libraries raise anything
            raise GenreflowError(
                f"{self.path} can't be run on an input of the shape {x.shape}: "
                f"{in_a_line(error)}. Get the bundle again"
            ) from error

    @abstractmethod
    def _probabilities(self, x: np.ndarray) -> np.ndarray: ...

    @property
    def genres(self) -> list[str] | None:
        """In the order of the probabilities; None if it doesn't know."""
        return None

    @property
    def parameters(self) -> int | None:
        """How many parameters it has learned; None if that says nothing."""
        return None

    def on(self, device: str) -> AbstractContextManager[Any]:
        """Run on a device while the context lasts."""
        return nullcontext()


class Classifier(LoadedLearner):
    """A ``.skops`` file: scaler, PCA if asked for, classifier."""

    def __init__(self, path: Path, **prediction: Any):
        from genreflow.learners import classifiers

        super().__init__(path)
        self._model = classifiers.load(path)

    @property
    def genres(self) -> list[str]:
        """In the order of the probabilities."""
        return self._model.genres

    def _probabilities(self, x: np.ndarray) -> np.ndarray:
        return self._model.predict(x)[1]


class Network(LoadedLearner):
    """A ``.keras`` file; Keras must be configured before (`features.backend.configure`).

    It predicts by so many `crops` of an image, `crop_frames` long; 0 for whole images.
    """

    def __init__(self, path: Path, *, crop_frames: int = 0, crops: int = 1):
        from genreflow.features import backend
        from genreflow.learners import augmentation  # noqa: F401 (registers layers)

        super().__init__(path)
        self._model = backend.load_model(path)
        self._crop_frames, self._crops = crop_frames, crops

    @property
    def devices(self) -> tuple[str, ...]:
        """Where it can be run."""
        import keras

        return ("cpu", "gpu") if keras.distribution.list_devices("gpu") else ("cpu",)

    def on(self, device: str) -> AbstractContextManager[Any]:
        """Run on a device while the context lasts."""
        import keras

        return keras.device(f"{device}:0")

    @property
    def parameters(self) -> int:
        """What the network has learned; the moving averages of batch normalisation aren't."""
        learned = [one for one in self._model.weights if not one.name.startswith("moving_")]
        return sum(int(np.prod(one.shape)) for one in learned)

    def _probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the mean over the crops."""
        if not 0 < self._crop_frames < x.shape[2]:
            return self._called(x)
        from genreflow.learners.cnn import crop_starts

        starts = crop_starts(x.shape[2], self._crop_frames, self._crops)
        crops = [x[:, :, start : start + self._crop_frames] for start in starts]
        return np.mean([self._called(crop) for crop in crops], axis=0)

    def _called(self, x: np.ndarray) -> np.ndarray:
        # Never a batch of one: the product of a single row with a matrix is rounded in another way.
        batch = x if len(x) > 1 else np.repeat(x, 2, axis=0)
        return np.asarray(self._model.predict_on_batch(batch), dtype=np.float64)[: len(x)]


_KINDS = {".skops": Classifier, ".keras": Network}


def load(path: str | Path, **prediction: Any) -> LoadedLearner:
    """Load what a learner left; no code of its runs.

    It is a ``.skops`` or ``.keras`` file; `prediction` is what must be known beside it, for a
    network of images crop_frames and crops. GenreflowError is raised if it isn't a model, is
    damaged, or would run code.
    """
    path = Path(path)
    return _KINDS[path.suffix](path, **prediction)
