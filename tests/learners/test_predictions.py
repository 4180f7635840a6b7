import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.learners import predictions as module
from genreflow.learners.predictions import Entry
from made.predictions import GENRES, cross_validation, predictions, random_predictions

WHOLE = random_predictions(1).columns


def gather(entries):
    return list(module.groups(entries))


@pytest.fixture
def write(tmp_path):
    def to_file(frame, name="predictions.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(path, index=False)
        return path

    return to_file


class TestRead:
    def test_gives_back_what_was_written_with_ids_as_text(self, write):
        frame = random_predictions(1)
        read = module.read_predictions(write(frame))
        pd.testing.assert_frame_equal(read, frame)
        assert read["track_id"].iloc[2] == "000002"

    def test_genres_and_ids_that_look_like_missing_values_stay(self, write):
        names = ["NA", "None", "1990"]
        frame = predictions(names, names, ["training", "test", "test"], ["nan", "1", "01"], names)
        read = module.read_predictions(write(frame))
        assert read["genre"].tolist() == names
        assert read["track_id"].tolist() == ["nan", "1", "01"]

    def test_extra_columns_are_left_out(self, write):
        frame = random_predictions(1)
        read = module.read_predictions(write(frame.assign(title="x")))
        assert list(read.columns) == list(frame.columns)

    @pytest.mark.parametrize(
        ("column", "value", "said"),
        [
            ("part", "testing", "part"),
            ("part", "", "part"),
            ("genre", "Jazz", "genre"),
            ("predicted", "folk", "predicted"),
            ("p_Folk", "nan", "probability"),
            ("p_Folk", "", "probability"),
            ("p_Folk", "inf", "probability"),
            ("p_Folk", "much", "probability"),
            ("p_Folk", "-0.2", "probability"),
            ("p_Folk", "1.01", "probability"),
            ("p_Folk", "0.9", "sum to 1"),
            ("track_id", "000001", "already"),
        ],
    )
    def test_refuses_a_bad_cell_and_names_its_line_and_track(self, write, column, value, said):
        frame = predictions(GENRES * 4, ["Hip-Hop"] * 12, ["test"] * 12).astype(object)
        frame.loc[7, column] = value
        path = write(frame)
        with pytest.raises(GenreflowError) as error:
            module.read_predictions(path)
        track = value if column == "track_id" else "000007"
        assert f"{path}, line 9 (track {track})" in str(error.value)
        assert said in str(error.value)
        assert path.read_text().splitlines()[8].startswith(track)

    def test_sum_may_be_off_by_rounding_only(self, write):
        frame = predictions(["Folk"], ["Folk"], ["test"])
        frame["p_Folk"] += 0.0009
        assert len(module.read_predictions(write(frame))) == 1
        frame["p_Folk"] += 0.0002
        with pytest.raises(GenreflowError, match="sum to 1"):
            module.read_predictions(write(frame))

    @pytest.mark.parametrize(
        ("columns", "rows", "said"),
        [
            *(
                (random_predictions(1).columns.drop(one), 5, f"missing: {one}")
                for one in module.LABELS
            ),
            (list(module.LABELS), 5, "p_GENRE"),
            (random_predictions(1).columns, 0, "no tracks"),
        ],
    )
    def test_refuses_what_lacks_something(self, write, columns, rows, said):
        with pytest.raises(GenreflowError, match=said):
            module.read_predictions(write(random_predictions(1)[columns].head(rows)))

    def test_refuses_what_is_not_there_or_no_table(self, tmp_path):
        with pytest.raises(GenreflowError, match=r"none\.csv"):
            module.read_predictions(tmp_path / "none.csv")
        for name, content in {"empty.csv": b"", "binary.csv": b"\xff\xfe\x00\x81\n" * 9}.items():
            (tmp_path / name).write_bytes(content)
            with pytest.raises(GenreflowError, match=name):
                module.read_predictions(tmp_path / name)

    def test_refuses_a_file_that_ends_in_the_middle_of_a_row(self, write):
        path = write(random_predictions(1, tracks=5))
        path.write_text(path.read_text()[:-22])
        with pytest.raises(GenreflowError, match="line 6 "):
            module.read_predictions(path)


class TestEntry:
    def test_is_told_by_its_path(self, tmp_path):
        place = tmp_path / "official" / "cnn" / "simple" / "seed-3" / "predictions.csv"
        entry = Entry.from_path(place, tmp_path)
        assert (entry.learner, entry.split, entry.seed) == ("cnn/simple", "official", 3)
        place = tmp_path / "cv-5x10-r1-f01/classify/vgg16/fc2/pca-0.90/svm-rbf/predictions.csv"
        entry = Entry.from_path(place, tmp_path)
        assert entry.learner == "classify/vgg16/fc2/pca-0.90/svm-rbf"
        assert (entry.split, entry.seed) == ("cv-5x10-r1-f01", None)

    @pytest.mark.parametrize("place", ["predictions.csv", "official/predictions.csv"])
    def test_refuses_other_paths(self, tmp_path, place):
        with pytest.raises(GenreflowError, match="expected SPLIT/LEARNER"):
            Entry.from_path(tmp_path / place, tmp_path)
        with pytest.raises(GenreflowError, match="expected SPLIT/LEARNER"):
            Entry.from_path("/elsewhere/official/cnn/simple/predictions.csv", tmp_path)


@pytest.mark.parametrize(
    ("name", "marks", "expected"),
    [
        ("vgg16/fc2", {"vgg16": "random"}, "vgg16/fc2 (random)"),
        ("vgg16/fc2", {"vgg16/fc2": "a", "fc2": "b", "vgg16": "a"}, "vgg16/fc2 (a, b)"),
        ("vgg16/fc2", {"vgg": "random", "16/fc2": "random"}, "vgg16/fc2"),
        ("vgg16/fc2", None, "vgg16/fc2"),
    ],
)
def test_marks_are_for_whole_parts_of_a_path(name, marks, expected):
    assert module.marked(name, marks) == expected


class TestGroups:
    def test_refuses_no_entries(self):
        with pytest.raises(GenreflowError, match="no predictions"):
            gather([])

    def test_refuses_predictions_without_a_test_part(self):
        frame = random_predictions(1)
        frame = frame[frame["part"] != "test"]
        with pytest.raises(GenreflowError, match="a on official: no track is in the part test"):
            gather([Entry("a", "official", None, frame)])

    def test_refuses_a_cross_validation_with_a_fold_missing(self):
        entries = cross_validation(2, 3, seeds=(1, 2))
        gone = [e for e in entries if (e.split, e.seed) != ("cv-2x3-r2-f03", 2)]
        with pytest.raises(GenreflowError, match=r"seed 2.*repeat 2, fold 3 once, found them 0"):
            gather(gone)

    def test_refuses_a_track_tested_in_two_folds(self):
        entries = cross_validation(1, 2)
        frame = entries[1].predictions
        tested = entries[0].predictions["part"] == "test"
        frame.loc[np.flatnonzero(tested)[0], "part"] = "test"
        track = frame["track_id"][np.flatnonzero(tested)[0]]
        with pytest.raises(GenreflowError, match=f"track {track} is tested in more than one fold"):
            gather(entries)

    def test_refuses_seeds_that_test_other_tracks_or_genres(self):
        first, second = random_predictions(1), random_predictions(2)
        row = np.flatnonzero((second["part"] == "test") & (second["genre"] != "Folk"))[0]
        for column, value in {"part": "training", "genre": "Folk"}.items():
            other = second.copy()
            assert other.loc[row, column] != value
            other.loc[row, column] = value
            entries = [Entry("a", "official", 1, first), Entry("a", "official", 2, other)]
            with pytest.raises(GenreflowError, match=f"track {other['track_id'][row]}"):
                gather(entries)

    def test_refuses_the_same_predictions_twice(self):
        entry = Entry("a", "official", 1, random_predictions(1))
        with pytest.raises(GenreflowError, match=r"seed 1: .* once, found them 2 times"):
            gather([entry, entry])

    def test_refuses_seeds_with_other_genres(self):
        entries = [
            Entry("a", "official", 1, random_predictions(1)),
            Entry("a", "official", 2, random_predictions(1, names=["Folk", "Hip-Hop", "Pop"])),
        ]
        with pytest.raises(GenreflowError, match="genres"):
            gather(entries)

    def test_checks_frames_as_it_checks_files(self):
        frame = random_predictions(1)
        frame.loc[3, "predicted"] = "Jazz"
        with pytest.raises(
            GenreflowError, match=r"a on official, seed None, line 5 \(track 000003"
        ):
            gather([Entry("a", "official", None, frame)])
