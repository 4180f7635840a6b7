import keras
import numpy as np
import pytest
from genreflow.features import backend
from genreflow.learners import training


class Points(keras.utils.PyDataset):
    """Points in the plane, two classes that overlap."""

    def __init__(self, seed, n):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.y = rng.integers(0, 2, n)
        self.x = (rng.standard_normal((n, 2)) + self.y[:, None]).astype(np.float32)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.x, self.y


def network():
    keras.backend.clear_session()
    backend.configure(threads=1, seed=0)
    point = keras.Input((2,), name="point")
    x = keras.layers.Dense(64, activation="relu", name="hidden")(point)
    return keras.Model(point, keras.layers.Dense(2, activation="softmax", name="genre")(x))


def train(model, *, learning_rate=0.3, epochs=20, monitor="val_loss", patience=4):
    lines = []
    history = training.train(
        model,
        Points(0, 12),
        Points(1, 60),
        optimizer=keras.optimizers.Adam(learning_rate),
        epochs=epochs,
        monitor=monitor,
        patience=patience,
        report=lines.append,
    )
    return history, lines


@pytest.mark.parametrize(
    ("monitor", "patience"), [("val_loss", 4), ("val_loss", 1000), ("val_accuracy", 4)]
)
def test_the_best_weights_are_restored(monitor, patience):
    model = network()
    history, lines = train(model, monitor=monitor, patience=patience)
    watched = history[monitor] if monitor == "val_loss" else -history[monitor]
    best = int(watched.argmin())
    assert best < len(history) - 1
    assert len(history) == (best + 1 + patience if patience < 20 else 20)
    assert len(lines) == len(history)
    loss, accuracy = model.evaluate(Points(1, 60), verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], rel=1e-5)
    assert accuracy == pytest.approx(history["val_accuracy"][best], rel=1e-5)


def test_the_training_loss_may_be_watched_as_in_the_study():
    overfitted, _ = train(network(), learning_rate=0.05, monitor="loss")
    stopped, _ = train(network(), learning_rate=0.05, monitor="val_loss")
    assert len(overfitted) > len(stopped)
    assert overfitted["loss"].iloc[-1] < stopped["loss"].min()
    assert overfitted["val_loss"].iloc[-1] > stopped["val_loss"].min()


def test_the_history_has_a_row_an_epoch():
    model = network()
    history, lines = train(model, epochs=3, patience=9)
    assert list(history.columns) == training.HISTORY
    assert list(history["epoch"]) == [1, 2, 3]
    row = history.iloc[1]
    assert lines[1] == (
        f"epoch 2 of at most 3: loss {row.loss:.3f}, accuracy {row.accuracy:.3f}, "
        f"validation loss {row.val_loss:.3f}, accuracy {row.val_accuracy:.3f}"
    )


# schedules


def rates(kind, **settings):
    schedule = training.schedule(kind, learning_rate=0.1, **settings)
    return [float(schedule(step)) for step in range(settings["steps"] + 1)]


def test_the_cosine_warms_up_and_ends_at_zero():
    found = rates("cosine", steps=110, warmup=10)
    np.testing.assert_allclose(found[:11], np.linspace(0, 0.1, 11), atol=1e-7)
    expected = 0.05 * (1 + np.cos(np.pi * np.arange(101) / 100))
    np.testing.assert_allclose(found[10:], expected, atol=1e-7)


def test_a_constant_rate_may_warm_up():
    np.testing.assert_allclose(rates("constant", steps=20), 0.1)
    warmed = rates("constant", steps=20, warmup=4)
    np.testing.assert_allclose(warmed, [0, 0.025, 0.05, 0.075, *[0.1] * 17], atol=1e-7)


def test_weight_decay_shrinks_kernels_alone():
    model = network()
    before = {w.path: keras.ops.convert_to_numpy(w) for w in model.trainable_weights}
    adam = training.optimizer(0.1, weight_decay=0.5)
    zeros = [keras.ops.zeros_like(w) for w in model.trainable_weights]
    adam.apply(zeros, model.trainable_weights)
    for weight in model.trainable_weights:
        scale = 0.95 if weight.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(weight, scale * before[weight.path], rtol=1e-6)
