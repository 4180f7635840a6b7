"""What the page begins with, and the plots that it draws itself."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from genreflow.evaluation import calibration, ranking
from genreflow.features.matrices import write_matrix
from genreflow.report import overview, plots, tracks_map
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler


def comparison(**columns):
    rows = {
        "split": "official",
        "learner": ["a/1", "a/2", "b/1", "c/1", "d/1"],
        "title": ["A one", "A two", "B one", "C one", "D one"],
        "kind": ["A", "A", "B", "C", "D"],
        "mark": ["", "", "", "random weights", ""],
        "test_accuracy": [0.9, 0.8, 0.7, 0.6, np.nan],
        "test_low": [0.8, 0.7, 0.6, 0.1, np.nan],
        "test_high": [0.95, 0.9, 0.8, 0.7, np.nan],
        "validation_accuracy": [0.5, 0.7, 0.7, 0.4, np.nan],
        "latency_seconds": [0.1, 0.01, 0.02, 0.05, np.nan],
        "tracks": 40.0,
        "seeds": 1.0,
        "folds": 1.0,
        "baseline": 0.25,
        "chosen": False,
        "learns_from_validation": False,
    }
    return pd.DataFrame(rows).assign(**columns)


def significance_of(differ=()):
    rows = [
        {"split": "official", "learner": ours, "other": theirs, "p_corrected": 0.5, "better": ""}
        for ours, theirs in combinations(["a/1", "a/2", "b/1", "c/1"], 2)
    ]
    table = pd.DataFrame(rows)
    for pair in differ:
        table.loc[(table["learner"] == pair[0]) & (table["other"] == pair[1]), "better"] = pair[0]
    return table


class TestBestOfKinds:
    def test_is_chosen_by_validation_and_not_by_test(self):
        best = ranking.best_of_kinds(comparison())
        assert best["learner"].tolist() == ["a/2", "b/1", "c/1"]

    def test_learners_that_saw_validation_stand_for_a_kind_that_has_no_other(self):
        saw = comparison(learns_from_validation=[False, True, True, False, False])
        assert ranking.best_of_kinds(saw)["learner"].tolist() == ["a/1", "b/1", "c/1"]
        said = overview.of_split("official", saw, None)
        assert said.first == "a/1" and "the best on validation (50.0 %)" in said.trust

    def test_without_validation_the_order_stays(self):
        best = ranking.best_of_kinds(comparison(validation_accuracy=np.nan))
        assert best["learner"].tolist() == ["a/1", "b/1", "c/1"]

    def test_what_is_used_for_predictions_is_among_them(self):
        rows = comparison(chosen=[True, False, False, False, False])
        assert ranking.best_of_kinds(rows)["learner"].tolist() == ["a/1", "a/2", "b/1", "c/1"]
        # Of equals on validation it comes first.
        rows = comparison(chosen=[False, False, True, False, False])
        assert ranking.by_validation(rows)["learner"].tolist() == ["b/1", "a/2", "a/1", "c/1"]


class TestOverview:
    def test_speaks_of_what_is_used_or_the_best_on_validation(self):
        said = overview.of_split("official", comparison(), significance_of())
        assert said.first == "a/2" and said.lead.startswith(
            "A two names the right genre for 80.0 %"
        )
        assert "70.0 to 90.0 %" in said.lead and "scores 25.0 %" in said.lead
        assert said.used == []
        chosen = comparison(chosen=[False, False, True, False, ""])
        said = overview.of_split("official", chosen, significance_of())
        assert (said.first, said.used) == ("b/1", ["b/1"])
        assert said.trust.startswith(
            "It is used for predictions as the best on validation (70.0 %)"
        )
        named = comparison(chosen=[True, False, False, False, False])
        said = overview.of_split("official", named, significance_of()).trust
        assert said.startswith("It is used for predictions (50.0 % on validation). 40 test tracks")

    def test_says_how_far_to_trust_it(self):
        said = overview.of_split("official", comparison(), significance_of([("a/2", "c/1")])).trust
        assert said.startswith("It is the best on validation (70.0 %). 40 test tracks speak for it")
        assert "no significant difference between it and 2 of the 3 other learners" in said
        said = overview.of_split("official", comparison(), significance_of()).trust
        assert "between it and any of the 3 other learners" in said
        differ = [("a/2", "c/1"), ("a/2", "b/1"), ("a/1", "a/2")]
        said = overview.of_split("official", comparison(groups=12.0), significance_of(differ)).trust
        assert "40 test tracks by 12 artists" in said and "each of the 3 others" in said
        weak = comparison(test_low=0.2)
        assert "too few to tell it from chance" in overview.of_split("official", weak, None).trust

    def test_nothing_is_said_where_nothing_was_made(self):
        assert overview.of_split("official", comparison(test_accuracy=np.nan), None) is None

    @pytest.mark.parametrize(
        ("counts", "pair"),
        [
            ([[5, 1, 0], [2, 1, 0], [3, 0, 9]], (1, 0)),  # two thirds, though three are more
            ([[2, 1, 1], [0, 9, 0], [0, 2, 6]], (2, 1)),  # of equal shares that of more tracks
            ([[1, 0], [0, 1]], None),
            ([[0, 0], [0, 1]], None),  # a genre without test tracks
        ],
    )
    def test_the_hardest_pair_is_the_largest_share_of_a_genre(self, counts, pair):
        assert overview.hardest(counts) == pair


class TestCosts:
    def test_places_are_logarithms_of_times(self):
        rows = comparison().dropna(subset="test_accuracy")
        plot = plots.costs(rows, list(rows["learner"]))
        x = [point.x for point in plot.points]
        slope, start = np.polyfit(np.log(rows["latency_seconds"]), x, 1)
        assert x == pytest.approx(slope * np.log(rows["latency_seconds"]) + start, abs=0.02)
        assert min(x) > 0 and max(x) < 100
        ticks = {float(text): place for place, text in plot.x_ticks}
        assert ticks[10] == pytest.approx(x[1], abs=0.02)
        y = {text: place for place, text in plot.y_ticks}
        assert y["80 %"] == pytest.approx(plot.points[1].y, abs=0.02)
        assert plot.points[1].said == "A two: 80.0 %, 10 ms"
        assert plot.groups == ["A", "B", "C"]

    def test_names_those_that_none_beats_in_both(self):
        rows = comparison().dropna(subset="test_accuracy")
        said = plots.costs(rows, list(rows["learner"])).said
        assert "A two (10 ms, 80.0 %); A one (100 ms, 90.0 %)" in said
        assert "B one" not in said and "C one" not in said

    def test_nothing_is_drawn_of_one(self):
        assert plots.costs(comparison().head(1), ["a"]) is None


class TestReliability:
    def test_bins_stand_where_they_are_and_empty_ones_do_not(self):
        rng = np.random.default_rng(0)
        confidence = rng.uniform(0.4, 1, 500)
        bins = calibration.bins(confidence, rng.random(500) < confidence - 0.1)
        table = bins.assign(learner="a/2", error=calibration.error(bins))
        others = [table.assign(learner=name) for name in ("a/1", "b/1", "c/1")]
        drawn = plots.reliability(comparison(), pd.concat([table, *others]))
        assert [one.row.learner for one in drawn] == ["a/2", "b/1", "c/1"]
        held = bins[bins["predictions"] > 0]
        assert 0 < len(held) < len(bins)
        expected = 100 * held[["confidence", "accuracy"]].to_numpy()
        np.testing.assert_allclose([one[:2] for one in drawn[0].bins], expected, atol=0.06)
        assert sum(share for *_, share in drawn[0].bins) == pytest.approx(100, abs=0.5)
        assert drawn[0].said.count("% sure") == len(held)


class TestTrainingSizes:
    def parts(self, sizes):
        """Return cross-validations that test tracks 0 to 9, by how many tracks they train on."""
        return {
            f"cv-{number}": pd.DataFrame(
                {
                    "track_id": [f"{track}" for track in range(10)] + ["x"] * size,
                    "part": ["test"] * 10 + ["training"] * size,
                    "split": f"cv-{number}-r1",
                }
            )
            for number, size in enumerate(sizes)
        }

    def rows(self, count):
        made = comparison().dropna(subset="test_accuracy")
        splits = [made.assign(split=f"cv-{number}") for number in range(count)]
        return pd.concat(splits, ignore_index=True)

    def test_best_of_each_kind_by_size(self):
        plot = plots.training_sizes(self.rows(2), self.parts([100, 50]))
        assert plot.groups == ["A two", "B one", "C one"]
        assert [point.group for point in plot.points] == [0, 1, 2, 0, 1, 2]
        x = [point.x for point in plot.points]
        assert x[:3] == [x[0]] * 3 and x[3] == pytest.approx(2 * x[0], abs=0.02)
        assert {text for _, text in plot.x_ticks} == {"50", "100"}
        assert plot.points[0].said == "A two, cv-1: 80.0 % after 50 tracks"
        assert len(plot.lines) == 3

    def test_only_splits_that_test_the_same_tracks_are_compared(self):
        assert plots.training_sizes(self.rows(2), self.parts([50, 50])) is None
        assert plots.training_sizes(self.rows(1), self.parts([50])) is None
        parts = self.parts([50, 100])
        parts["cv-1"].loc[0, "track_id"] = "another"
        assert plots.training_sizes(self.rows(2), parts) is None
        assert plots.training_sizes(self.rows(2).head(0), self.parts([50, 100])) is None


class TestMap:
    def test_is_what_scikit_learn_finds(self, tmp_path):
        rng = np.random.default_rng(0)
        names = [f"{number}" for number in range(30)]
        x = rng.standard_normal((30, 5)).astype(np.float32) * [9, 5, 1, 1, 1]
        x[:, 3] = x[:, 0] + 0.1 * x[:, 3]
        write_matrix(tmp_path / "x.h5", x.astype(np.float32), names, list("abcde"), {})
        tracks = pd.DataFrame({"track_id": [*names, "unheard"]})
        tracks = tracks.assign(genre=["Dub", "Folk", "Rock"] * 10 + ["Dub"], title="T", artist="")
        plot = tracks_map.draw(tmp_path / "x.h5", tracks, features="made up")
        pca = PCA(2, svd_solver="full")
        expected = pca.fit_transform(StandardScaler().fit_transform(x.astype(np.float32)))
        for axis, found in enumerate(zip(*((p.x, p.y) for p in plot.points), strict=True)):
            assert abs(np.corrcoef(found, expected[:, axis])[0, 1]) > 0.9999
        assert [point.track for point in plot.points] == names
        assert f"({100 * pca.explained_variance_ratio_[0]:.0f} % of the variance)" in plot.x_label
        assert plot.groups == ["Dub", "Folk", "Rock"]
        assert [point.group for point in plot.points] == [0, 1, 2] * 10

    @pytest.mark.parametrize("x", [np.ones((4, 3)), np.ones((1, 3)), np.arange(8.0).reshape(4, 2)])
    def test_is_none_where_there_are_no_two_directions(self, tmp_path, x):
        names = [f"{number}" for number in range(len(x))]
        columns = [f"{number}" for number in range(x.shape[1])]
        write_matrix(tmp_path / "x.h5", x.astype(np.float32), names, columns, {})
        tracks = pd.DataFrame({"track_id": names, "genre": "Dub", "title": "", "artist": ""})
        assert tracks_map.draw(tmp_path / "x.h5", tracks, features="made up") is None
