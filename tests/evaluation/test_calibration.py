import numpy as np
import pandas as pd
import pytest
from genreflow.evaluation import calibration, metrics
from genreflow.learners.predictions import Entry
from made.predictions import cross_validation, drawn_predictions


def by_loops(tests):
    """Return the expected calibration error by the formula as it is printed."""
    confidence = tests.filter(like="p_").max(axis=1)
    right = tests["genre"] == tests["predicted"]
    total = 0
    for m in range(1, 11):
        held = (confidence > (m - 1) / 10) & (confidence <= m / 10)
        if held.any():
            gap = abs(right[held].mean() - confidence[held].mean())
            total += held.sum() / len(tests) * gap
    return total


def test_bins_by_hand():
    # An upper edge belongs to its bin, and a sum of probabilities may be off by a digit.
    confidence = np.array([0.35, 0.95, 0.7, 0.61, 1.0, 1.0000000000000002])
    table = calibration.bins(confidence, np.array([0, 1, 1, 0, 1, 0], bool)).set_index("bin")
    held = table[table["predictions"] > 0]
    assert held["predictions"].to_dict() == {4: 1, 7: 2, 10: 3}
    assert held["confidence"].tolist() == pytest.approx([0.35, 0.655, 2.95 / 3])
    assert held["accuracy"].tolist() == pytest.approx([0, 0.5, 2 / 3])
    assert table[["low", "high"]].loc[4].tolist() == pytest.approx([0.3, 0.4])
    assert table.drop(index=held.index)[["confidence", "accuracy"]].isna().all(axis=None)
    expected = (0.35 + 2 * 0.155 + 3 * (2.95 / 3 - 2 / 3)) / 6
    assert calibration.error(table) == pytest.approx(expected)


def test_reliability_is_over_all_seeds_of_a_learner_on_a_split():
    frames = [drawn_predictions(seed, sharpness=3) for seed in (1, 2)]
    entries = [Entry("a", "official", seed, frame) for seed, frame in enumerate(frames)]
    others = [Entry("b", "official", None, frames[0]), *cross_validation(2, 3)]
    table = calibration.reliability([*entries, *others], marks={"a": "random weights"})
    learners = dict(list(table.groupby(["split", "learner"])))
    tested = int((frames[0]["part"] == "test").sum())
    assert {place: int(own["predictions"].sum()) for place, own in learners.items()} == {
        ("cv-2x3", "cnn/simple"): 2 * 61,
        ("official", "a (random weights)"): 2 * tested,
        ("official", "b"): tested,
    }
    own = learners["official", "a (random weights)"]
    (error,) = set(own["error"])
    tests = pd.concat([frame[frame["part"] == "test"] for frame in frames])
    assert len(own) == 10
    assert error == pytest.approx(by_loops(tests), rel=1e-12)
    (row,) = metrics.comparison(entries, fma_small=False).to_dict("records")
    assert row["calibration_error"] == error


class TestThreshold:
    def test_loses_least_by_hand(self):
        confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
        correct = np.array([1, 1, 0, 1, 0, 0], bool)
        # Right less wrong down to each: 1, 2, 1, 2, 1, 0; the lower of two as good.
        assert calibration.threshold(confidence, correct) == 0.6
        shuffled = np.random.default_rng(0).permutation(6)
        assert calibration.threshold(confidence[shuffled], correct[shuffled]) == 0.6

    def test_equals_are_taken_together(self):
        confidence, correct = np.array([0.9, 0.5, 0.5, 0.5]), np.array([1, 1, 0, 0], bool)
        assert calibration.threshold(confidence, correct) == 0.9

    @pytest.mark.parametrize(("right", "expected"), [(1.0, 0.3), (0.0, 1.0)])
    def test_of_who_is_always_or_never_right(self, right, expected):
        confidence = np.linspace(0.3, 0.9, 20)
        assert calibration.threshold(confidence, np.full(20, bool(right))) == expected
