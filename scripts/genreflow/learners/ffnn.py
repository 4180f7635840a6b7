"""The study's feed-forward networks on a feature matrix."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.preprocessing import StandardScaler

from genreflow.corpus.tracks import PARTS
from genreflow.learners import prediction_table, training


def build(
    scaling: tuple[np.ndarray, np.ndarray], n_genres: int, *, units: Sequence[int], l2: float
):
    """Build a feed-forward network from features (n, d) as they are to probabilities.

    It standardises its input by `scaling`, mean and variance of each feature on the training part,
    shape (d,) each: they are constants, no parameters. A softmax follows the hidden layers of so
    many units each (ReLU); `l2` is the penalty on the squared weights of every layer, without the
    biases.
    """
    mean, variance = scaling
    features = keras.Input(mean.shape, name="features")
    x = layers.Normalization(mean=mean, variance=variance, name="scaler")(features)
    penalty = keras.regularizers.L2(l2) if l2 else None
    for number, width in enumerate(units, start=1):
        x = layers.Dense(
            width, activation="relu", kernel_regularizer=penalty, name=f"dense_{number}"
        )(x)
    genre = layers.Dense(n_genres, activation="softmax", kernel_regularizer=penalty, name="genre")(
        x
    )
    return keras.Model(features, genre, name="ffnn")


def fit(
    x: np.ndarray,
    split: pd.DataFrame,
    *,
    units: Sequence[int],
    l2: float,
    learning_rate: float,
    batch_size: int,
    seed: int,
    **settings: Any,
) -> tuple[keras.Model, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train a network on a split and predict all of the split's tracks.

    Parameters
    ----------
    x : float32, shape (tracks, d)
        Features, not scaled.
    split
        Columns track_id, part, genre; one row per track of `x`.
    units, l2
        As for `build`.
    seed
        Of the shuffling; `features.backend.configure` seeds the weights.
    **settings
        Of `learners.training.train`: epochs, monitor, patience, report.

    Returns
    -------
    model : keras.Model
    history, predictions : pandas.DataFrame
    scores : pandas.DataFrame
        One row a part: part, loss (with the penalty, as the study prints it), accuracy, and the
        network's number of parameters.

    Raises
    ------
    NotPossible
        As `learners.training.require_parts` and `learners.prediction_table.make`.
    """
    genres = sorted(set(split["genre"]))
    labels = np.searchsorted(genres, split["genre"].to_numpy(dtype=str))
    parts = split["part"].to_numpy()
    training.require_parts(parts, split["genre"].to_numpy())

    def batches(part: str, shuffle_seed: int | None = None) -> training.Batches:
        of_part = parts == part
        return training.Batches(
            x[of_part], labels[of_part], batch_size=batch_size, shuffle_seed=shuffle_seed
        )

    scaler = StandardScaler().fit(x[parts == PARTS[0]])  # constant features keep the scale 1
    scaling = (scaler.mean_, scaler.scale_**2)
    model = build(scaling, len(genres), units=units, l2=l2)
    history = training.train(
        model,
        batches(PARTS[0], seed),
        batches(PARTS[1]),
        optimizer=keras.optimizers.Adam(learning_rate),
        **settings,
    )
    scores = [(part, *model.evaluate(batches(part), verbose=0)) for part in PARTS]
    predictions = prediction_table.make(
        model.predict(x, batch_size=batch_size, verbose=0),
        track_ids=split["track_id"].to_numpy(),
        parts=parts,
        genres=split["genre"].to_numpy(),
        names=genres,
    )
    scores = pd.DataFrame(scores, columns=["part", "loss", "accuracy"])
    return model, history, predictions, scores.assign(parameters=model.count_params())
