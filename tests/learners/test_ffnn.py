import numpy as np
import pandas as pd
import pytest
from genreflow.errors import NotPossible
from genreflow.features import backend
from genreflow.learners import ffnn
from sklearn.preprocessing import StandardScaler

PARAMETERS = {  # units -> parameters that the study prints, for 518 features and 8 genres
    (512, 512): 532_488,
    (512, 256): 399_112,
    (256, 256): 200_712,
    (256, 64): 149_832,
    (128, 64): 75_208,
    (64,): 33_736,
    (128,): 67_464,
    (256,): 134_920,
    (512,): 269_832,
}


@pytest.fixture(scope="module", autouse=True)
def keras_set_up():
    backend.configure(threads=1, seed=0)


def corpus(n=90, dims=6, seed=0):
    """Make three genres that are easy to tell apart, and a split."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    x = (rng.normal(size=(n, dims)) + 4 * np.eye(dims)[codes]).astype(np.float32)
    parts = np.array(["training"] * (n - 30) + ["validation"] * 15 + ["test"] * 15)
    genre = np.array(["Jazz", "Polka", "Samba"])[codes]
    ids = [str(number) for number in range(n)]
    return x, pd.DataFrame({"track_id": ids, "part": parts, "genre": genre})


def fit(x, split, **changes):
    settings = {
        "units": [16],
        "l2": 0.0,
        "batch_size": 8,
        "seed": 0,
        "learning_rate": 0.01,
        "epochs": 20,
        "monitor": "val_loss",
        "patience": 3,
        "report": lambda line: None,
    } | changes
    backend.configure(threads=1, seed=settings["seed"])
    return ffnn.fit(x, split, **settings)


@pytest.mark.parametrize(("units", "parameters"), PARAMETERS.items())
def test_parameters_are_those_of_the_study(units, parameters):
    model = ffnn.build((np.zeros(518), np.ones(518)), 8, units=units, l2=0.02)
    assert model.count_params() == parameters
    assert sum(weight.numpy().size for weight in model.trainable_weights) == parameters


def test_input_is_standardised_by_training_alone():
    x, split = corpus()
    x[:, 5] = 7.0  # constant on training
    x[-1, 5] = 9.0
    model, *_ = fit(x, split, epochs=1)
    learned = x[(split["part"] == "training").to_numpy()]
    expected = StandardScaler().fit(learned).transform(x)
    found = np.asarray(model.get_layer("scaler")(x))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_learns_and_predicts_every_track():
    x, split = corpus()
    _, history, predictions, scores = fit(x, split)
    assert predictions["track_id"].tolist() == split["track_id"].tolist()
    assert predictions["genre"].tolist() == split["genre"].tolist()
    columns = ["p_Jazz", "p_Polka", "p_Samba"]
    np.testing.assert_allclose(predictions[columns].sum(axis=1), 1, atol=1e-5)
    test = predictions[predictions["part"] == "test"]
    accuracy = (test["predicted"] == test["genre"]).mean()
    assert accuracy > 0.9
    by_part = scores.set_index("part")
    assert by_part.loc["test", "accuracy"] == pytest.approx(accuracy)
    assert list(history.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


def test_loss_holds_the_penalty_and_cross_entropy():
    x, split = corpus()
    model, _, predictions, scores = fit(x, split, l2=0.02, epochs=3)
    test = predictions[predictions["part"] == "test"]
    own = [row[f"p_{row['genre']}"] for _, row in test.iterrows()]
    kernels = [w.numpy() for w in model.trainable_weights if w.name == "kernel"]
    penalty = 0.02 * sum(float(np.square(kernel).sum()) for kernel in kernels)
    expected = -np.log(own).mean() + penalty
    assert scores.set_index("part").loc["test", "loss"] == pytest.approx(expected, rel=1e-4)


def test_same_seed_same_predictions_and_another_seed_others():
    x, split = corpus()
    one, again, other = (fit(x, split, epochs=3, seed=seed)[2] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({"part": "validation"}, "no track is in the validation part, to stop the training by"),
        ({"part": "test"}, "no track is in the test part"),
        ({"part": "training", "genre": "Samba"}, "genre 'Samba' has no track in the training part"),
    ],
)
def test_too_few_tracks_have_their_reason(lost, said):
    x, split = corpus()
    gone = (split[list(lost)] == pd.Series(lost)).all(axis=1)
    with pytest.raises(NotPossible, match=said):
        fit(x[~gone], split[~gone].reset_index(drop=True))


def test_a_training_that_diverges_has_its_reason():
    with pytest.raises(NotPossible, match="diverged"):
        fit(*corpus(), learning_rate=1e30)
