import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.evaluation import calibration
from genreflow.report import figures
from made.drawings import cut, texts
from matplotlib.axes import Axes

NOTE = "Synthetic demo corpus: these numbers say nothing about real music."


def thick(path):
    """Return the points of the thick lines of an SVG, legend aside."""
    lines = re.findall(
        r'<path d="([^"]*)" clip-path[^>]*style="[^"]*stroke-width: 2[;"]', path.read_text()
    )
    return [np.array(re.findall(r"[ML] (\S+) (\S+)", line), dtype=float) for line in lines]


def places(path, *words):
    """Return where texts of an SVG begin, from the left."""
    nodes = ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")
    # rotate(angle x y), or translate(x y) for one of several lines
    found = {node.text: float(re.findall(r"-?[\d.]+", node.get("transform"))[-2]) for node in nodes}
    return [found[word] for word in words]


def counts(genres):
    size = len(genres)
    values = np.arange(1000, 1000 + size * size).reshape(size, size)
    return pd.DataFrame(values, index=genres, columns=genres)


def history(epochs=6, best=4):
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "loss": 2.0 / epoch,
            "accuracy": 1 - 1 / (epoch + 1),
            "val_loss": 1.0 + 0.1 * np.abs(epoch - best),
            "val_accuracy": 0.3 + 0.01 * epoch,
        }
    )


def trials(configurations=9, parameters=("kernel_size", "dropout", "learning_rate")):
    """Return two brackets; of the first, a third is promoted and does better."""
    rng = np.random.default_rng(0)
    values = {name: 10 ** rng.uniform(-4, -1, configurations).round(3) for name in parameters}
    first = pd.DataFrame(values).assign(bracket=1, round=0, epochs=3)
    promoted = first.tail(max(1, configurations // 3)).assign(round=1, epochs=9)
    fresh = first.head(2).assign(bracket=0, epochs=9)
    rows = pd.concat([first, promoted, fresh], ignore_index=True)
    score = 0.2 + 0.01 * rows["epochs"] + 0.001 * rows.index
    return rows.assign(trial=[f"{n:04d}" for n in rows.index], score=score)


def table(**columns):
    rows = pd.DataFrame(
        {
            "split": ["lowest-ids", "official", "official"],
            "learner": ["classify/vgg16/fc2/pca-0.90/svm-rbf", "cnn/simple", "ffnn/<64>"],
            "tracks": [1596, 800, 800],
            "test_accuracy": [0.461, 0.397, 0.123],
            "test_low": [0.437, 0.364, 0.102],
            "test_high": [0.486, 0.431, 0.148],
            "baseline": [0.125, 0.125, 0.125],
        }
    )
    return rows.assign(**columns)


def curves(count=2, name="vgg16/cut{}"):
    """Make explained variances whose shares 0.9 and 0.99 take known numbers of components."""
    cumulative = 1 - np.geomspace(0.5, 1e-6, 4096)
    sizes = {level: int(np.searchsorted(cumulative, level)) + 1 for level in (0.9, 0.99)}
    return {name.format(number): (cumulative, sizes) for number in range(count)}


def reliability(count=3, name="classify/vgg16/cut{}/svm-rbf"):
    """Make bins of learners whose accuracy is 0.1 below their confidence."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 5000)
    right = rng.random(5000) < confidence - 0.1
    bins = calibration.bins(confidence, right)
    bins["error"] = calibration.error(bins)
    names = [name.format(number) for number in range(count)]
    return pd.concat([bins.assign(split="official", learner=own) for own in names])


DRAW = {
    "confusion": lambda path, **k: figures.confusion_matrix(
        counts(["Folk", "Rock"]), path, title="T", **k
    ),
    "curves": lambda path, **k: figures.learning_curves(
        {1: history(), 2: history(4, 2)}, path, title="T", **k
    ),
    "search": lambda path, **k: figures.search(trials(), path, title="T", **k),
    "pairs": lambda path, **k: figures.learning_curve_pairs(
        {"cnn/simple": history(), "cnn/tuned": {1: history(), 2: history(4)}}, path, title="T", **k
    ),
    "intervals": lambda path, **k: figures.accuracy_intervals(table(), path, title="T", **k),
    "calibration": lambda path, **k: figures.calibration(reliability(), path, title="T", **k),
    "variance": lambda path, **k: figures.explained_variance(curves(), path, title="T", **k),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
class TestEveryFigure:
    def test_same_numbers_same_bytes_whatever_the_users_settings(self, tmp_path, draw):
        draw(tmp_path / "a.svg", note=NOTE)
        first = (tmp_path / "a.svg").read_bytes()
        with mpl.rc_context({"axes.grid": True, "xtick.labelsize": 20, "lines.markersize": 3}):
            for _ in range(3):  # the layout varies, but not each time
                draw(tmp_path / "b.svg", note=NOTE)
                assert first == (tmp_path / "b.svg").read_bytes()
        assert not re.search(rb"<dc:date>", first)

    def test_has_title_and_note_as_text_on_white(self, tmp_path, draw):
        draw(tmp_path / "a.svg", note=NOTE)
        words = " ".join(texts(tmp_path / "a.svg"))
        assert NOTE in words
        assert cut(tmp_path / "a.svg") == []
        assert "T" in texts(tmp_path / "a.svg")
        text = (tmp_path / "a.svg").read_text()
        background = re.search(r'<g id="patch_1">\s*<path d="([^"]*)" style="([^"]*)"', text)
        assert "fill: #ffffff" in background[2]
        width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups()
        assert f"L {width} {height}" in background[1]
        assert "opacity" not in background[2]

    def test_draws_nothing_but_vectors(self, tmp_path, draw):
        draw(tmp_path / "a.svg")
        assert NOTE not in " ".join(texts(tmp_path / "a.svg"))
        # The colour bar is the one raster that there may be.
        assert (tmp_path / "a.svg").read_text().count("<image") <= (draw is DRAW["confusion"])
        assert (tmp_path / "a.svg").stat().st_size < 60_000

    def test_leaves_no_half_written_file(self, tmp_path, draw):
        draw(tmp_path / "new" / "a.svg")
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.svg"]


class TestConfusionMatrix:
    @pytest.mark.parametrize(
        ("size", "name"), [(2, "G{}"), (8, "Genre {} of the whole corpus"), (20, "Genre {} of it")]
    )
    def test_every_count_and_genre_is_there_and_none_is_cut(self, tmp_path, size, name):
        matrix = counts([name.format(n) for n in range(size)])
        figures.confusion_matrix(matrix, tmp_path / "a.svg", title="T")
        assert cut(tmp_path / "a.svg") == []
        words = texts(tmp_path / "a.svg")
        for count in matrix.to_numpy().ravel():
            assert words.count(str(count)) == 1
        for genre, total in matrix.sum(axis=1).items():
            assert words.count(genre) == 1
            assert words.count(f"{genre} ({total})") == 1

    def test_colour_is_the_share_of_the_genre_not_the_count(self, tmp_path):
        genres = ["Folk", "Rock"]
        for name, rows in {"a": [[3, 1], [0, 2]], "b": [[300, 100], [0, 1]]}.items():
            matrix = pd.DataFrame(rows, index=genres, columns=genres)
            figures.confusion_matrix(matrix, tmp_path / f"{name}.svg", title="T")
        cells = [
            re.findall(r"fill: (#\w+)", mesh)
            for mesh in (
                re.search(r'id="QuadMesh_1">(.*?)</g>', (tmp_path / f"{n}.svg").read_text(), re.S)[
                    1
                ]
                for n in "ab"
            )
        ]
        assert cells[0] == cells[1]
        assert len(cells[0]) == 4
        assert len(set(cells[0])) == 4

    def test_names_that_look_like_markup_or_formulas_stay_as_they_are(self, tmp_path):
        genres = ["$a$ <b>&amp;", "日本の音楽"]
        figures.confusion_matrix(counts(genres), tmp_path / "a.svg", title="T")
        assert set(genres) <= set(texts(tmp_path / "a.svg"))

    def test_a_genre_without_tracks_is_drawn(self, tmp_path):
        matrix = pd.DataFrame([[0, 0], [1, 2]], index=["Folk", "Rock"], columns=["Folk", "Rock"])
        figures.confusion_matrix(matrix, tmp_path / "a.svg", title="T")
        assert "Folk (0)" in texts(tmp_path / "a.svg")

    def test_refuses_rows_that_are_not_the_columns(self, tmp_path):
        matrix = counts(["Folk", "Rock"])[["Rock", "Folk"]]
        with pytest.raises(ValueError, match="same genres"):
            figures.confusion_matrix(matrix, tmp_path / "a.svg", title="T")
        assert not (tmp_path / "a.svg").exists()


class TestLearningCurves:
    def test_names_the_best_epoch_of_a_single_seed(self, tmp_path):
        figures.learning_curves(history(best=4), tmp_path / "a.svg", title="T")
        words = texts(tmp_path / "a.svg")
        assert {"Loss", "Accuracy", "training", "validation", "best epoch (4)"} <= set(words)

    def test_best_by_another_column(self, tmp_path):
        for monitor, epoch in {"val_accuracy": 6, "loss": 6, "val_loss": 4}.items():
            figures.learning_curves(history(), tmp_path / "a.svg", title="T", monitor=monitor)
            assert f"best epoch ({epoch})" in texts(tmp_path / "a.svg")

    def test_mean_of_seeds_ends_where_the_first_stops(self, tmp_path):
        figures.learning_curves({1: history(6), 2: history(4)}, tmp_path / "a.svg", title="T")
        words = texts(tmp_path / "a.svg")
        assert "training, mean of 2 seeds" in words
        assert "best epoch of each seed" in words
        assert [len(line) for line in thick(tmp_path / "a.svg")] == [4, 4, 4, 4]

    def test_no_validation(self, tmp_path):
        frame = history(1).assign(val_loss=np.nan, val_accuracy=np.nan)
        figures.learning_curves(frame, tmp_path / "a.svg", title="T")
        words = texts(tmp_path / "a.svg")
        assert "training" in words
        assert "validation" not in words

    @pytest.mark.parametrize(
        ("frame", "said"),
        [(history().drop(columns="val_loss"), "val_loss"), (history().head(0), "no epochs")],
    )
    def test_refuses_a_history_that_is_none(self, tmp_path, frame, said):
        with pytest.raises(GenreflowError, match=said) as error:
            figures.learning_curves({1: history(), 7: frame}, tmp_path / "a.svg", title="T")
        assert "seed 7" in str(error.value)
        assert not (tmp_path / "a.svg").exists()


class TestLearningCurvePairs:
    def test_has_a_row_for_each_learner_from_top_to_bottom(self, tmp_path):
        learners = ["cnn/tuned", "cnn/simple", "cnn/tuned-augmented-" + "residual-" * 6]
        figures.learning_curve_pairs(
            dict.fromkeys(learners, history()), tmp_path / "a.svg", title="T", note=NOTE
        )
        titles = [text for text in texts(tmp_path / "a.svg") if text.endswith(": loss")]
        assert titles[:2] == ["cnn/tuned: loss", "cnn/simple: loss"]
        assert len(titles) == 3
        assert cut(tmp_path / "a.svg") == []
        # One legend, in which no single best epoch stands for all.
        assert texts(tmp_path / "a.svg").count("validation") == 1
        assert texts(tmp_path / "a.svg").count("best epoch") == 1

    def test_rows_can_be_compared_for_they_have_the_same_axes(self, tmp_path):
        long = history(30)
        figures.learning_curve_pairs(
            {"short": long.head(5), "long": long}, tmp_path / "a.svg", title="T"
        )
        lines = thick(tmp_path / "a.svg")
        for above, below in zip(lines[:4], lines[4:], strict=True):
            np.testing.assert_allclose(above[:, 0], below[:5, 0], atol=1e-3)
            np.testing.assert_allclose(np.ptp(below[:5, 1] - above[:, 1]), 0, atol=1e-3)

    def test_refuses_a_history_that_is_none_and_says_whose(self, tmp_path):
        frame = history().drop(columns="loss")
        with pytest.raises(GenreflowError, match=r"T of tuned: .* seed 7 .* loss are"):
            figures.learning_curve_pairs(
                {"simple": history(), "tuned": {7: frame}}, tmp_path / "a.svg", title="T"
            )


class TestSearch:
    def test_connects_each_trial_with_its_promotion(self, tmp_path):
        figures.search(trials(9), tmp_path / "a.svg", title="T")
        lines = re.findall(
            r'<path d="([^"]*)"[^>]*stroke: #999999', (tmp_path / "a.svg").read_text()
        )
        assert [len(re.findall("[ML]", line)) for line in lines] == [2, 2, 2]

    @pytest.mark.parametrize(
        ("objective", "best", "score"),
        [("val_accuracy", "0013", "30.3 %"), ("val_loss", "0000", "0.23")],
    )
    def test_names_the_best_trial_and_its_values(self, tmp_path, objective, best, score):
        rows = trials().assign(dropout=0.25, kernel_size=[*range(3, 17)], schedule="cosine")
        figures.search(rows, tmp_path / "a.svg", title="T", note=NOTE, objective=objective)
        words = " ".join(texts(tmp_path / "a.svg"))
        row = rows.set_index("trial").loc[best]
        assert (
            f"Best: trial {best} (bracket {row['bracket']}, epochs {row['epochs']}, "
            f"{objective} {score})" in words
        )
        assert f"kernel_size={row['kernel_size']}, dropout=0.25" in words
        assert "schedule=cosine" in words
        assert {"bracket 1", "bracket 0", "best trial"} <= set(texts(tmp_path / "a.svg"))

    def test_of_equals_the_one_trained_longest_is_best(self, tmp_path):
        rows = trials().assign(score=0.5, trial=range(14), continues=pd.NA, initial_epoch=0)
        figures.search(rows, tmp_path / "a.svg", title="T")
        words = texts(tmp_path / "a.svg")
        assert "Best: trial 9 (bracket 1, epochs 9, val_accuracy 50.0 %): " in " ".join(words)
        assert not {"continues", "initial_epoch"} & set(words)
        stars = re.findall(r"fill: #f0e442", (tmp_path / "a.svg").read_text(), re.I)
        assert len(stars) == 5  # of the trials, of each hyper-parameter, in the legend

    @pytest.mark.parametrize(("configurations", "parameters"), [(1, 1), (3, 5), (80, 12)])
    def test_has_a_panel_for_each_hyper_parameter_and_cuts_nothing(
        self, tmp_path, configurations, parameters
    ):
        names = [f"hyper_parameter_{n}" for n in range(parameters)]
        figures.search(trials(configurations, names), tmp_path / "a.svg", title="T", note=NOTE)
        words = texts(tmp_path / "a.svg")
        assert [words.count(name) for name in names] == [1] * parameters
        assert cut(tmp_path / "a.svg") == []
        assert (tmp_path / "a.svg").stat().st_size < 300_000

    def test_learning_rates_are_spread_by_their_logarithm_others_are_not(self, tmp_path):
        rows = trials(9, ["learning_rate", "strength"])
        rates = np.geomspace(1.2e-5, 8e-3, len(rows))
        figures.search(
            rows.assign(learning_rate=rates, strength=rates), tmp_path / "a.svg", title="T"
        )
        decades = places(tmp_path / "a.svg", "1e-5", "1e-4", "1e-3", "1e-2")
        np.testing.assert_allclose(np.diff(decades), np.diff(decades)[0], rtol=1e-3)
        linear = places(tmp_path / "a.svg", "0.000", "0.002", "0.004", "0.006", "0.008")
        np.testing.assert_allclose(np.diff(linear), np.diff(linear)[0], rtol=1e-3)

    def test_few_values_and_names_stand_side_by_side(self, tmp_path):
        choices = np.array([0.01, 0.0001, 0.001])[np.arange(14) % 3]
        rows = trials().assign(learning_rate=choices, schedule=["cosine", "constant"] * 7)
        figures.search(rows, tmp_path / "a.svg", title="T")
        x = places(tmp_path / "a.svg", "0.0001", "0.001", "0.01")
        assert x[1] - x[0] == pytest.approx(x[2] - x[1], rel=1e-3)
        x = places(tmp_path / "a.svg", "constant", "cosine")
        assert x[0] < x[1]

    def test_trials_without_a_score_are_counted_and_hyper_parameters_may_be_absent(self, tmp_path):
        rows = trials().assign(filters_4=[np.nan, 32.0] * 7)
        rows.loc[3:4, "score"] = np.nan
        figures.search(rows, tmp_path / "a.svg", title="T")
        words = " ".join(texts(tmp_path / "a.svg"))
        assert "2 of 14 trials have no score." in words
        assert "filters_4=32" in words

    @pytest.mark.parametrize(
        "rows",
        [
            trials().drop(columns="round"),
            trials().head(0),
            trials().assign(score=np.nan),
            trials()[list(figures.TRIALS)],
        ],
        ids=["column", "rows", "score", "parameters"],
    )
    def test_refuses_trials_that_are_none(self, tmp_path, rows):
        with pytest.raises(GenreflowError, match="T: the trials can't be drawn"):
            figures.search(rows, tmp_path / "a.svg", title="T")
        assert not (tmp_path / "a.svg").exists()


class TestAccuracyIntervals:
    def test_has_every_learner_its_accuracy_and_a_panel_a_split(self, tmp_path):
        figures.accuracy_intervals(table(), tmp_path / "a.svg")
        words = texts(tmp_path / "a.svg")
        assert {*table()["learner"], "46.1", "39.7", "12.3", "chance"} <= set(words)
        assert {"lowest-ids, 1596 test tracks", "official, 800 test tracks"} <= set(words)
        assert "published" not in words

    def test_long_names_are_not_cut(self, tmp_path):
        rows = pd.concat([table(learner="classify/" + "w" * 60)] * 9).assign(test_high=1.0)
        figures.accuracy_intervals(rows, tmp_path / "a.svg", note=" ".join([NOTE] * 4))
        assert cut(tmp_path / "a.svg") == []

    def test_published_numbers_are_drawn_where_there_are_any(self, tmp_path):
        figures.accuracy_intervals(table(published=[np.nan, 0.3975, np.nan]), tmp_path / "a.svg")
        assert texts(tmp_path / "a.svg").count("published") == 1
        figures.accuracy_intervals(table(published=np.nan), tmp_path / "a.svg")
        assert "published" not in texts(tmp_path / "a.svg")


class TestCalibration:
    def test_has_a_panel_with_its_error_for_every_learner(self, tmp_path):
        table = reliability(6, "cnn/variant-{}")
        figures.calibration(table, tmp_path / "a.svg")
        words = texts(tmp_path / "a.svg")
        assert [word for word in words if word.startswith("cnn/")] == [
            f"cnn/variant-{number}" for number in range(6)
        ]
        shown = f"error {100 * calibration.error(reliability(1)):.1f} %"
        assert words.count(shown) == 6

    def test_dots_stand_at_confidence_and_accuracy_and_empty_bins_have_none(
        self, tmp_path, monkeypatch
    ):
        drawn = []

        def scatter(axes, x, y, s, **_):
            drawn.append((x, y, s))

        monkeypatch.setattr(Axes, "scatter", scatter)
        table = reliability(1)
        figures.calibration(table, tmp_path / "a.svg")
        ((x, y, size),) = drawn
        held = table[table["predictions"] > 0]
        assert len(held) == 8
        assert x.tolist() == held["confidence"].tolist()
        assert y.tolist() == held["accuracy"].tolist()
        assert np.corrcoef(size, held["predictions"])[0, 1] > 0.999

    @pytest.mark.parametrize("count", [1, 2, 5, 26])
    def test_long_names_and_many_learners_are_not_cut(self, tmp_path, count):
        name = "classify/resnet50/conv5_block1_2_relu/pca-0.90/svm-linear (random weights) {}"
        figures.calibration(reliability(count, name), tmp_path / "a.svg", note=NOTE)
        assert cut(tmp_path / "a.svg") == []
        joined = "".join(texts(tmp_path / "a.svg")).replace(" ", "")
        assert joined.count(name.removesuffix(" {}").replace(" ", "")) == count

    def test_refuses_two_splits_or_none(self, tmp_path):
        table = reliability(2)
        for wrong in (table.head(0), pd.concat([table, table.assign(split="grouped")])):
            with pytest.raises(ValueError, match="one split"):
                figures.calibration(wrong, tmp_path / "a.svg")


class TestExplainedVariance:
    def test_sizes_are_marked_and_named(self, tmp_path):
        (drawn,) = curves(1).values()
        figures.explained_variance({"fc2 (random weights)": drawn}, tmp_path / "a.svg", title="T")
        words = texts(tmp_path / "a.svg")
        small, large = drawn[1].values()
        said = f"fc2 (random weights): {small} (90 %), {large} (99 %) of 4096 components"
        assert said in words
        assert {"0.9", "0.99", "components", "share of the variance"} <= set(words)
        # a marker a size on the curve, and one in the legend
        assert (tmp_path / "a.svg").read_text().count("<use xlink:href") >= 3

    def test_the_curve_goes_through_the_marked_points(self, tmp_path, monkeypatch):
        drawn = {}

        def plot(axes, numbers, shares, *, markevery, **_):
            drawn.update(zip(numbers[markevery], shares[markevery], strict=True))
            assert len(numbers) < 210

        monkeypatch.setattr(Axes, "plot", plot)
        (cumulative, sizes), *_ = curves(1).values()
        figures.explained_variance({"fc2": (cumulative, sizes)}, tmp_path / "a.svg", title="T")
        assert drawn == {size: cumulative[size - 1] for size in sizes.values()}

    @pytest.mark.parametrize("count", [1, 9])
    def test_long_names_and_many_curves_are_not_cut(self, tmp_path, count):
        name = "resnet50/conv5_block{}_2_relu_of_a_long_name (random weights)"
        figures.explained_variance(curves(count, name), tmp_path / "a.svg", title="T", note=NOTE)
        assert cut(tmp_path / "a.svg") == []
        assert len([text for text in texts(tmp_path / "a.svg") if "resnet50" in text]) == count

    def test_a_single_component_and_no_levels(self, tmp_path):
        figures.explained_variance({"a": (np.ones(1), {})}, tmp_path / "a.svg", title="T")
        assert "a: of 1 components" in texts(tmp_path / "a.svg")

    def test_refuses_no_curves(self, tmp_path):
        with pytest.raises(ValueError, match="no explained variances"):
            figures.explained_variance({}, tmp_path / "a.svg", title="T")


class TestReason:
    @pytest.mark.parametrize("count", [1, 60])
    def test_it_can_be_read(self, tmp_path, count):
        said = " ".join(["genre 'Jazz' has 1 track to learn from"] * count)
        figures.reason(said, tmp_path / "a.svg", title="cnn/simple, official", note=NOTE)
        assert cut(tmp_path / "a.svg") == []
        words = texts(tmp_path / "a.svg")
        assert {"cnn/simple, official", NOTE} <= set(words)
        assert said in " ".join(words)

    def test_accuracies_leave_out_what_was_not_made(self, tmp_path):
        numbers = {"test_low": 0.2, "test_accuracy": 0.3, "test_high": 0.4, "baseline": 0.1}
        rows = [{"learner": "good", "tracks": 9, **numbers}, {"learner": "bad", "reason": "few"}]
        table = pd.DataFrame(rows).assign(split="official")
        figures.accuracy_intervals(table, tmp_path / "a.svg")
        words = texts(tmp_path / "a.svg")
        assert "good" in words and "bad" not in words
        assert "official, 9 test tracks" in words
        figures.accuracy_intervals(table.iloc[1:], tmp_path / "b.svg")
        assert "No learner could be made; the table says why." in texts(tmp_path / "b.svg")
