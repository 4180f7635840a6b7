import pytest
from genreflow.errors import NotPossible
from genreflow.learners import classifiers, ensembles, pca
from genreflow.learners.predictions import read_predictions
from genreflow.runtime import outcomes

REASON = 'genre "Jazz, hot" has\n1 track'
SAID = 'genre "Jazz, hot" has 1 track'


def test_a_reason_is_read_as_it_was_written(tmp_path):
    outcomes.write_reason(tmp_path / "new" / "model.keras", REASON)
    assert outcomes.reason_of(tmp_path / "new" / "model.keras") == SAID


def test_a_reason_is_no_formula(tmp_path):
    outcomes.write_reason(tmp_path / "table.csv", "=1+1 has 1 track")
    assert "\n'=1+1" in (tmp_path / "table.csv").read_text()
    assert outcomes.reason_of(tmp_path / "table.csv") == "=1+1 has 1 track"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"reason",
        b"reason\n",
        b"reason: 1\n",
        b"reason,track_id\ntoo short,1\n",
        b"reason\na\nb\n",
        b"\x89HDF\r\n\x1a\n\xff",
        b"PK\x03\x04reason\n",
    ],
)
def test_other_files_hold_no_reason(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert outcomes.reason_of(tmp_path / "file") == ""
    outcomes.require(tmp_path / "file")


def test_a_file_that_is_not_there_holds_no_reason(tmp_path):
    assert outcomes.reason_of(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("predictions.csv", read_predictions),
        ("model.skops", classifiers.load),
        ("combiner.skops", ensembles.load),
        ("pca.h5", pca.load),
        ("pca.h5", lambda path: pca.read_curve(path, [0.9])),
    ],
)
def test_no_reader_takes_a_reason_for_what_it_stands_for(tmp_path, name, read):
    outcomes.write_reason(tmp_path / name, REASON)
    with pytest.raises(NotPossible, match=f"^{SAID}$"):
        read(tmp_path / name)
