"""Where a result stands: on one protocol alone, ours among published ones."""

import pandas as pd
from genreflow.evaluation import standing

ROWS = [
    # split, learner, accuracy, low, high, tracks, chosen, reason
    ("grouped", "cnn/other", 0.9, 0.85, 0.95, 800, False, ""),
    ("official", "classify/a", 0.6, 0.56, 0.64, 800, False, ""),
    ("official", "cnn/simple", 0.55, 0.5, 0.6, 800, False, ""),
    ("official", "classify/b", 0.54, 0.5, 0.58, 800, True, ""),
    ("official", "classify/c", 0.53, 0.5, 0.58, 800, False, ""),
    ("official", "ffnn/64", 0.5, 0.46, 0.54, 16, False, ""),
    ("official", "ensemble/x", None, None, None, None, False, "no"),
]


def compared(rows=ROWS):
    names = "split learner test_accuracy test_low test_high tracks chosen reason"
    table = pd.DataFrame(rows, columns=names.split())
    return table.assign(seeds=1, folds=1).astype({"tracks": "Int64"})


def test_ours_stand_among_results_of_the_same_split():
    table = standing.standing(compared())
    assert table["accuracy"].is_monotonic_decreasing
    ours = table[table["source"] == standing.OURS]
    assert ours["method"].tolist() == ["classify/a", "cnn/simple", "classify/b", "ffnn/64"]
    assert ours["low"].tolist() == [0.56, 0.5, 0.5, 0.46]
    highest, used = "the highest of its kind on test", "used for predictions"
    fewer = f"{highest}; 16 of the 800 tracks"
    assert ours["protocol"].tolist() == [highest, highest, used, fewer]
    published = table[table["source"] != standing.OURS]
    assert published["accuracy"].tolist() == [0.643, 0.581, 0.564, 0.516, 0.495, 0.464, 0.125]
    assert published[["low", "high", "tracks"]].isna().all(axis=None)
    assert not published.duplicated().any() and (published[["input", "protocol"]] != "").all(None)


def test_other_protocols_are_known_and_left_out():
    every = pd.read_csv(standing.PUBLISHED)
    other = every[every["split"] != standing.SPLIT]
    assert "artists on both sides" in other["protocol"].item()
    shown = standing.standing(compared(ROWS[:1]))
    assert not set(shown["method"]) & {other["method"].item(), "cnn/other"}
    assert (shown["source"] != standing.OURS).all()


def test_markdown_has_every_row_and_what_800_tracks_leave():
    text = standing.to_markdown(standing.standing(compared()), note="Synthetic.")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 7 + 4
    assert "60.0" in lines[3] and "56.0-64.0" in lines[3] and "800" in lines[3]
    assert "nan" not in text.lower() and "<na>" not in text.lower()
    assert standing.NOTE in text and text.endswith("Synthetic.")
