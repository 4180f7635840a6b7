import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from genreflow import figures
from genreflow.errors import GenreflowError
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

NOTE = "Synthetic demo corpus: these numbers say nothing about real music."


def texts(path):
    """Return what can be read in an SVG."""
    root = ElementTree.parse(path).getroot()
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def cut(path):
    """Return the texts of an SVG that reach over its edge, measured in DejaVu Sans."""
    root = ElementTree.parse(path).getroot()
    size = np.array(root.get("viewBox").split()[2:], dtype=float)
    found = []
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        style = dict(part.split(": ", 1) for part in node.get("style").split("; "))
        font = FontProperties(family="DejaVu Sans", weight=style.get("font-weight", "normal"))
        letters = float(style["font-size"].removesuffix("px"))
        width = TextPath((0, 0), node.text, size=letters, prop=font).get_extents().width
        start = width * {"start": 0, "middle": -0.5, "end": -1}[style.get("text-anchor", "start")]
        # rotate(angle x y), or translate(x y) for one of several lines
        *angle, x, y = map(float, re.findall(r"-?[\d.]+", node.get("transform")))
        angle = np.radians(sum(angle))
        turn = np.array([np.cos(angle), np.sin(angle)])
        ends = np.array([[x, y] + turn * start, [x, y] + turn * (start + width)])
        if (ends < 0).any() or (ends > size).any():
            found.append(node.text)
    return found


def thick(path):
    """Return the points of the thick lines of an SVG, legend aside."""
    lines = re.findall(
        r'<path d="([^"]*)" clip-path[^>]*style="[^"]*stroke-width: 2[;"]', path.read_text()
    )
    return [np.array(re.findall(r"[ML] (\S+) (\S+)", line), dtype=float) for line in lines]


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


DRAW = {
    "confusion": lambda path, **k: figures.confusion_matrix(
        counts(["Folk", "Rock"]), path, title="T", **k
    ),
    "curves": lambda path, **k: figures.learning_curves(
        {1: history(), 2: history(4, 2)}, path, title="T", **k
    ),
    "pairs": lambda path, **k: figures.learning_curve_pairs(
        {"cnn/simple": history(), "cnn/tuned": {1: history(), 2: history(4)}}, path, title="T", **k
    ),
    "intervals": lambda path, **k: figures.accuracy_intervals(table(), path, title="T", **k),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
class TestEveryFigure:
    def test_same_numbers_same_bytes_whatever_the_users_settings(self, tmp_path, draw):
        draw(tmp_path / "a.svg", note=NOTE)
        with mpl.rc_context({"axes.grid": True, "xtick.labelsize": 20, "lines.markersize": 3}):
            draw(tmp_path / "b.svg", note=NOTE)
        first = (tmp_path / "a.svg").read_bytes()
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
