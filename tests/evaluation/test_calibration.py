import numpy as np
import pandas as pd
import pytest
from genreflow.evaluation import calibration, metrics
from genreflow.learners.predictions import Entry
from made.predictions import cross_validation, drawn_predictions


def by_loops(frames, count=10):
    """Return the expected calibration error by the formula as it is printed."""
    tests = pd.concat([frame[frame["part"] == "test"] for frame in frames])
    confidence = tests.filter(like="p_").max(axis=1)
    right = tests["genre"] == tests["predicted"]
    total = 0
    for m in range(1, count + 1):
        held = (confidence > (m - 1) / count) & (confidence <= m / count)
        if held.any():
            gap = abs(right[held].mean() - confidence[held].mean())
            total += held.sum() / len(tests) * gap
    return total


def test_bins_by_hand():
    confidence = np.array([0.35, 0.95, 0.7, 0.61, 1.0, 1.0000000000000002])
    table = calibration.bins(confidence, np.array([0, 1, 1, 0, 1, 0], bool)).set_index("bin")
    held = table[table["predictions"] > 0]
    assert held.index.tolist() == [4, 7, 10]
    assert held["predictions"].tolist() == [1, 2, 3]
    assert held["confidence"].tolist() == pytest.approx([0.35, 0.655, 2.95 / 3])
    assert held["accuracy"].tolist() == pytest.approx([0, 0.5, 2 / 3])
    assert table[["low", "high"]].loc[4].tolist() == pytest.approx([0.3, 0.4])
    assert table.drop(index=held.index)[["confidence", "accuracy"]].isna().all(axis=None)
    expected = (0.35 + 2 * 0.155 + 3 * (2.95 / 3 - 2 / 3)) / 6
    assert calibration.error(table) == pytest.approx(expected)


def test_an_upper_edge_belongs_to_its_bin():
    edges = np.arange(1, 11) / 10
    table = calibration.bins(edges, np.ones(10, bool))
    assert table["predictions"].tolist() == [1] * 10
    np.testing.assert_allclose(table["confidence"], table["high"])


def test_what_is_calibrated_has_no_error_and_what_is_too_sure_has_its_excess():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    right = rng.random(200_000) < confidence
    assert calibration.expected_error(confidence, right) < 0.005
    right = rng.random(200_000) < confidence - 0.2
    assert calibration.expected_error(confidence, right) == pytest.approx(0.2, abs=0.005)


@pytest.mark.parametrize("count", [5, 10])
def test_reliability_is_over_all_seeds_and_so_is_the_error_of_the_comparison(count):
    frames = [drawn_predictions(seed, sharpness=3) for seed in (1, 2)]
    entries = [Entry("a", "official", seed, frame) for seed, frame in enumerate(frames)]
    table = calibration.reliability(entries, count=count, marks={"a": "random weights"})
    assert len(table) == count
    assert set(table["learner"]) == {"a (random weights)"}
    assert table["predictions"].sum() == 2 * (frames[0]["part"] == "test").sum()
    assert calibration.error(table) == pytest.approx(by_loops(frames, count), rel=1e-12)
    assert set(table["error"]) == {calibration.error(table)}
    if count == calibration.BINS:
        (row,) = metrics.comparison(entries, fma_small=False).to_dict("records")
        assert row["calibration_error"] == calibration.error(table)


def test_reliability_keeps_learners_and_splits_apart():
    entries = [
        *(Entry(name, "official", None, drawn_predictions(1)) for name in "ab"),
        *cross_validation(2, 3),
    ]
    table = calibration.reliability(entries)
    sizes = table.groupby(["split", "learner"])["predictions"].sum().to_dict()
    tested = int((drawn_predictions(1)["part"] == "test").sum())
    assert sizes == {
        ("cv-2x3", "cnn/simple"): 2 * 61,
        ("official", "a"): tested,
        ("official", "b"): tested,
    }
