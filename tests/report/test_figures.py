import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.evaluation import calibration, standing
from genreflow.report import figures, standing_figure
from genreflow.report.drawing import draw_reason
from genreflow.report.search_figure import TRIALS, search
from made.drawings import cut, texts

NOTE = "Synthetic demo corpus: these numbers say nothing about real music."


def drawn(tmp_path, draw, *data, **named):
    """Draw, find nothing cut, and return the file and its texts."""
    path = tmp_path / "drawn.svg"
    draw(*data, path, **{"title": "T", **named})
    assert cut(path) == []
    return path, texts(path)


def thick(path):
    """Return the points of the thick lines of an SVG, legend aside."""
    lines = re.findall(
        r'<path d="([^"]*)" clip-path[^>]*style="[^"]*stroke-width: 2[;"]', path.read_text()
    )
    return [np.array(re.findall(r"[ML] (\S+) (\S+)", line), dtype=float) for line in lines]


def counts(genres):
    values = np.arange(1000, 1000 + len(genres) ** 2).reshape(len(genres), -1)
    return pd.DataFrame(values, index=genres, columns=genres)


def history(epochs=6, best=4):
    epoch = np.arange(1, epochs + 1)
    losses = {"loss": 2.0 / epoch, "val_loss": 1.0 + 0.1 * np.abs(epoch - best)}
    accuracies = {"accuracy": 1 - 1 / (epoch + 1), "val_accuracy": 0.3 + 0.01 * epoch}
    return pd.DataFrame({"epoch": epoch, **losses, **accuracies})


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
    learners = ["classify/vgg16/fc2/pca-0.90/svm-rbf", "cnn/simple", "ffnn/<64>"]
    rows = {"split": ["lowest-ids", "official", "official"], "learner": learners}
    rows |= {"title": learners, "mark": ["random weights", "", ""]}
    rows |= {"tracks": [1596, 800, 800], "groups": [np.nan, 160, 160]}
    rows |= {"test_accuracy": [0.461, 0.397, 0.123]}
    rows |= {"test_low": [0.437, 0.364, 0.102], "test_high": [0.486, 0.431, 0.148]}
    return pd.DataFrame(rows).assign(baseline=0.125).assign(**columns)


def curves(count=2, name="vgg16/cut{}"):
    """Make explained variances whose shares 0.9 and 0.99 take known numbers of components."""
    cumulative = 1 - np.geomspace(0.5, 1e-6, 4096)
    sizes = {level: int(np.searchsorted(cumulative, level)) + 1 for level in (0.9, 0.99)}
    return {name.format(number): (cumulative, sizes) for number in range(count)}


def reliability(count=3, name="classify/vgg16/cut{}/svm-rbf"):
    """Make bins of learners whose accuracy is 0.1 below their confidence."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 5000)
    bins = calibration.bins(confidence, rng.random(5000) < confidence - 0.1)
    bins["error"] = calibration.error(bins)
    return pd.concat([bins.assign(learner=name.format(number)) for number in range(count)])


def of_learners(table):
    """Return the comparison of the learners of some bins, each of its own kind."""
    names = table["learner"].drop_duplicates().tolist()
    rows = {"learner": names, "title": [f"Title of {name}" for name in names], "kind": names}
    rows["chosen"] = rows["learns_from_validation"] = False
    numbers = {"tracks": 9.0, "seeds": 1.0, "folds": 1.0, "validation_accuracy": 0.5}
    return pd.DataFrame(rows).assign(split="official", mark="", test_accuracy=0.5, **numbers)


def draw_calibration(table, path, **named):
    figures.calibration(table, of_learners(table), path, **named)


TWO = {"cnn/simple": {"a": history()}, "cnn/tuned": {"b": history(), "c": history(4, 2)}}


@pytest.mark.parametrize(
    ("draw", "data"),
    [
        (figures.confusion_matrix, counts(["Folk", "Rock"])),
        (figures.learning_curves, TWO),
        (search, trials()),
        (figures.accuracy_intervals, table()),
        (draw_calibration, reliability()),
        (figures.explained_variance, curves()),
        (draw_reason, "genre 'Jazz' has 1 track to learn from " * 60),
    ],
)
class TestEveryFigure:
    def test_same_numbers_same_bytes_whatever_the_users_settings(self, tmp_path, draw, data):
        path = tmp_path / "a.svg"
        draw(data, path, title="T", note=NOTE)
        first = path.read_bytes()
        with mpl.rc_context({"axes.grid": True, "xtick.labelsize": 20, "lines.markersize": 3}):
            for _ in range(3):  # the layout varies, but not each time
                draw(data, path, title="T", note=NOTE)
                assert path.read_bytes() == first
        assert b"<dc:date>" not in first

    def test_title_and_note_are_text_and_lie_on_nothing(self, tmp_path, draw, data):
        path, words = drawn(tmp_path, draw, data, note=NOTE)
        assert NOTE in " ".join(words) and "T" in words
        text = path.read_text()
        (style,) = re.findall(r'<g id="patch_1">\s*<path d="[^"]*" style="([^"]*)"', text)
        assert "fill: none" in style
        # The colour bar is the one raster that there may be.
        assert text.count("<image") <= (draw is figures.confusion_matrix)
        assert path.stat().st_size < 60_000
        assert [path.name for path in tmp_path.iterdir()] == ["drawn.svg"]

    def test_inks_turn_light_on_dark_pages(self, tmp_path, draw, data):
        text = drawn(tmp_path, draw, data)[0].read_text()
        dark = text.split("@media (prefers-color-scheme:dark)")[1].split("</style>")[0]
        turned = set(re.findall(r"(?:fill|stroke): (#\w+)\"", dark))
        used = {
            color
            for style in re.findall(r'<text style="([^"]*)"', text)
            for color in re.findall(r"fill: (#\w+)", style)
        }
        # But for counts, which stand on coloured cells.
        on_cells = {"#1a1a1a", "#ffffff", "#767676"} if draw is figures.confusion_matrix else set()
        assert used and used - on_cells <= turned
        assert all("fill" in style for style in re.findall(r'<text style="([^"]*)"', text))


class TestConfusionMatrix:
    @pytest.mark.parametrize(
        ("size", "name"), [(2, "G{}"), (8, "Genre {} of the whole corpus"), (20, "Genre {} of it")]
    )
    def test_every_count_and_genre_is_there(self, tmp_path, size, name):
        matrix = counts([name.format(n) for n in range(size)])
        _, words = drawn(tmp_path, figures.confusion_matrix, matrix)
        totals = [f"{genre} ({total})" for genre, total in matrix.sum(axis=1).items()]
        for shown in [*map(str, matrix.to_numpy().ravel()), *matrix, *totals]:
            assert words.count(shown) == 1

    def test_colour_is_the_share_of_the_genre_not_the_count(self, tmp_path):
        cells = []
        for rows in ([[3, 1], [0, 2]], [[300, 100], [0, 1]]):
            path, _ = drawn(tmp_path, figures.confusion_matrix, pd.DataFrame(rows))
            mesh = re.search(r'id="QuadMesh_1">(.*?)</g>', path.read_text(), re.S)[1]
            cells.append(re.findall(r"fill: (#\w+)", mesh))
        assert cells[0] == cells[1]
        assert len(cells[0]) == len(set(cells[0])) == 4

    def test_odd_names_stay_as_they_are_and_a_genre_may_have_no_tracks(self, tmp_path):
        matrix = counts(["$a$ <b>&amp;", "日本の音楽"])
        matrix.iloc[1] = 0
        _, words = drawn(tmp_path, figures.confusion_matrix, matrix)
        assert {*matrix, "日本の音楽 (0)"} <= set(words)


class TestLearningCurves:
    @pytest.mark.parametrize(("monitor", "best"), [("val_loss", 4), ("val_accuracy", 6)])
    def test_names_the_best_epoch_of_a_single_training(self, tmp_path, monitor, best):
        alone = {"cnn/simple": {"a": history()}}
        _, words = drawn(tmp_path, figures.learning_curves, alone, monitor=monitor)
        shown = {"Loss", "Accuracy", "training", "validation", f"best epoch ({best})"}
        assert shown <= set(words)

    def test_mean_of_seeds_ends_where_the_first_stops(self, tmp_path):
        seeds = {"cnn/simple": {"a": history(6), "b": history(4)}}
        path, words = drawn(tmp_path, figures.learning_curves, seeds)
        assert {"training, mean of 2 seeds", "best epoch of each seed"} <= set(words)
        assert [len(line) for line in thick(path)] == [4, 4, 4, 4]

    def test_no_validation(self, tmp_path):
        frame = history(1).assign(val_loss=np.nan, val_accuracy=np.nan)
        for monitor, marks in {"val_loss": 0, "loss": 1}.items():
            alone = {"cnn/simple": {"a": frame}}
            _, words = drawn(tmp_path, figures.learning_curves, alone, monitor=monitor)
            assert "training" in words and "validation" not in words
            assert words.count("best epoch (1)") == marks

    @pytest.mark.parametrize("frame", [history().drop(columns="val_loss"), history().head(0)])
    def test_refuses_a_history_that_is_none(self, tmp_path, frame):
        histories = {"cnn/simple": {"a.csv": history(), "b.csv": frame}}
        with pytest.raises(GenreflowError, match=r"^b\.csv: expected.*val_loss"):
            figures.learning_curves(histories, tmp_path / "a.svg", title="T")
        assert not list(tmp_path.iterdir())

    def test_learners_have_a_row_each_from_top_to_bottom(self, tmp_path):
        learners = ["cnn/tuned", "cnn/simple", "cnn/tuned-augmented-" + "residual-" * 6]
        histories = {learner: {"a": history()} for learner in learners}
        _, words = drawn(tmp_path, figures.learning_curves, histories, note=NOTE)
        titles = [text for text in words if text.endswith("loss")]
        assert titles[:2] == ["cnn/tuned: loss", "cnn/simple: loss"]
        assert len(titles) == 3
        # One legend, in which no single best epoch stands for all.
        assert words.count("validation") == words.count("best epoch") == 1


class TestSearch:
    def test_connects_each_trial_with_its_promotion(self, tmp_path):
        path, _ = drawn(tmp_path, search, trials(9))
        lines = re.findall(r'<path d="([^"]*)"[^>]*stroke: #55595f', path.read_text())
        assert [len(re.findall("[ML]", line)) for line in lines] == [2, 2, 2]

    @pytest.mark.parametrize(
        ("objective", "best", "score"),
        [("val_accuracy", "0013", "30.3 %"), ("val_loss", "0000", "0.23")],
    )
    def test_names_the_best_trial_and_its_values(self, tmp_path, objective, best, score):
        rows = trials().assign(dropout=0.25, kernel_size=[*range(3, 17)], schedule="cosine")
        _, words = drawn(tmp_path, search, rows, objective=objective)
        row, said = rows.set_index("trial").loc[best], " ".join(words)
        place = f"bracket {row['bracket']}, epochs {row['epochs']}, {objective} {score}"
        assert f"Best: trial {best} ({place})" in said
        assert f"kernel_size={row['kernel_size']}, dropout=0.25" in said
        assert "schedule=cosine" in said
        assert {"bracket 1", "bracket 0", "best trial"} <= set(words)

    def test_of_equals_the_one_trained_longest_is_best(self, tmp_path):
        rows = trials().assign(score=0.5, trial=range(14), note="", continues=pd.NA)
        path, words = drawn(tmp_path, search, rows.assign(initial_epoch=0))
        assert "Best: trial 9 (bracket 1, epochs 9, val_accuracy 50.0 %): " in " ".join(words)
        assert not {"continues", "initial_epoch", "note"} & set(words)
        stars = re.findall(r"fill: #f0e442", path.read_text(), re.I)
        assert len(stars) == 5  # of the trials, of each hyper-parameter, in the legend

    @pytest.mark.parametrize(("configurations", "parameters"), [(1, 1), (3, 5), (80, 12)])
    def test_has_a_panel_for_each_hyper_parameter(self, tmp_path, configurations, parameters):
        names = [f"hyper_parameter_{n}" for n in range(parameters)]
        path, words = drawn(tmp_path, search, trials(configurations, names), note=NOTE)
        assert [words.count(name) for name in names] == [1] * parameters
        assert path.stat().st_size < 300_000

    def test_trials_without_a_score_are_counted_and_hyper_parameters_may_be_absent(self, tmp_path):
        rows = trials().assign(filters_4=[np.nan, 32.0] * 7)
        rows.loc[3:4, "score"] = np.nan
        said = " ".join(drawn(tmp_path, search, rows)[1])
        assert "2 of 14 trials have no score." in said
        assert "filters_4=32" in said

    @pytest.mark.parametrize(
        "rows",
        [
            trials().drop(columns="round"),
            trials().head(0),
            trials().assign(score=np.nan),
            trials()[list(TRIALS)],
        ],
        ids=["column", "rows", "score", "parameters"],
    )
    def test_refuses_trials_that_are_none(self, tmp_path, rows):
        with pytest.raises(GenreflowError, match="T: the trials can't be drawn"):
            search(rows, tmp_path / "a.svg", title="T")
        assert not list(tmp_path.iterdir())


class TestAccuracyIntervals:
    def test_has_every_learner_its_accuracy_and_a_panel_a_split(self, tmp_path):
        for published, times in ((np.nan, 0), ([np.nan, 0.3975, np.nan], 1)):
            rows = table(published=published)
            _, words = drawn(tmp_path, figures.accuracy_intervals, rows)
            assert {
                *rows["title"][1:],
                f"{rows['title'][0]} (random weights)",
                "46.1",
                "39.7",
                "12.3",
                "chance",
            } <= set(words)
            assert {
                "lowest-ids, 1596 test tracks",
                "official, 800 test tracks of 160 artists",
            } <= set(words)
            assert words.count("published") == times

    def test_long_names_are_not_cut(self, tmp_path):
        rows = pd.concat([table(title="classify/" + "w" * 60)] * 9).assign(test_high=1.0)
        drawn(tmp_path, figures.accuracy_intervals, rows, note=" ".join([NOTE] * 4))

    def test_what_was_not_made_is_left_out(self, tmp_path):
        numbers = ["tracks", "test_accuracy", "test_low", "test_high", "baseline"]
        rows = table().astype(dict.fromkeys(numbers, float))
        rows.loc[1, numbers] = np.nan
        _, words = drawn(tmp_path, figures.accuracy_intervals, rows)
        assert "ffnn/<64>" in words and "cnn/simple" not in words
        _, words = drawn(tmp_path, figures.accuracy_intervals, rows.iloc[1:2])
        assert "No learner could be made; the table says why." in words


class TestCalibration:
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_has_a_panel_with_its_error_for_every_learner(self, tmp_path, count):
        name = "classify/resnet50/conv5_block1_2_relu/pca-0.90/svm-linear (random weights) {}"
        _, words = drawn(tmp_path, draw_calibration, reliability(count, name), note=NOTE)
        assert words.count(f"error {100 * calibration.error(reliability(1)):.1f} %") == count
        joined = "".join(words).replace(" ", "")
        assert joined.count("Titleof" + name.removesuffix(" {}").replace(" ", "")) == count

    def test_only_the_best_of_each_kind_has_a_panel(self, tmp_path):
        table = reliability(3)
        rows = of_learners(table).assign(kind=["a", "a", "b"], validation_accuracy=[0.1, 0.2, 0.3])
        _, words = drawn(tmp_path, figures.calibration, table, rows)
        joined = "".join(words)
        assert "cut1" in joined and "cut2" in joined and "cut0" not in joined

    def test_says_that_there_is_no_learner(self, tmp_path):
        _, words = drawn(tmp_path, draw_calibration, reliability(1).head(0))
        assert "No learner could be made; the table says why." in words


class TestExplainedVariance:
    @pytest.mark.parametrize("count", [1, 9])
    def test_sizes_are_marked_and_named(self, tmp_path, count):
        name = "resnet50/conv5_block{}_2_relu_of_a_long_name (random weights)"
        made = curves(count, name)
        path, words = drawn(tmp_path, figures.explained_variance, made, note=NOTE)
        for own, (_, sizes) in made.items():
            small, large = sizes.values()
            said = f"{own}: {small} (90 %), {large} (99 %) of 4096 components"
            assert said in " ".join(" ".join(words).split())
        assert {"90 %", "99 %", "components", "share of the variance"} <= set(words)
        # a marker a size on the curve, and one in the legend
        assert path.read_text().count("<use xlink:href") >= 3 * count

    def test_a_single_component_and_no_levels(self, tmp_path):
        _, words = drawn(tmp_path, figures.explained_variance, {"a": (np.ones(1), {})})
        assert "a: of 1 components" in words


class TestStanding:
    def test_has_published_results_and_ours_with_intervals(self, tmp_path):
        rows = [
            ("Published <CNN>", 0.643, np.nan, np.nan, "Somebody, 2021"),
            ("cnn/" + "w" * 50, 0.5, 0.4, 0.6, standing.OURS),
        ]
        named = pd.DataFrame(rows, columns=["method", "accuracy", "low", "high", "source"])
        path, words = drawn(tmp_path, standing_figure.standing, named, note=NOTE)
        assert {"Published <CNN> (Somebody)", "64.3", "50.0", NOTE} <= set(words)
        (interval,) = thick(path)
        assert interval[1][0] > interval[0][0]
        _, words = drawn(tmp_path, standing_figure.standing, named.iloc[:1])
        assert "this run, with 95 % interval" not in words
