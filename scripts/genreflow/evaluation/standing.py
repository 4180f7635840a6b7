"""Where a result stands among those published on FMA small, on the same test part alone.

What was tested otherwise is known, too (`published_standing.csv` has it with its split), but never
stands in the table: BYOL-A's 64.3 % is of a random fifth of the tracks, with artists on both sides.
"""

from pathlib import Path

import pandas as pd

from genreflow.evaluation import markdown, metrics

PUBLISHED = Path(__file__).with_name("published_standing.csv")
"""One result a row, with its input, split, protocol and source."""

SPLIT = "official"
"""The split whose results are shown."""

TRACKS = 800
"""In its test part, all readable."""

OURS = "this run"
"""The source of our own rows."""


def standing(comparison: pd.DataFrame) -> pd.DataFrame:
    """Put the best of each kind of learner among published results.

    `comparison` is what `evaluation.metrics.comparison` returned, of FMA small.

    Returns
    -------
    pandas.DataFrame
        One row a result, the highest first: method, input, accuracy, low and high (the 95 %
        interval of ours, NaN for others: their artists are known, but not which tracks they had
        right), tracks (of ours), protocol, source. Ours are the highest on test of the CNNs, the
        feed-forward networks, the classifiers and the ensembles, and what is used for predictions;
        none if the run hasn't the official split.
    """
    published = pd.read_csv(PUBLISHED)
    published = published[published["split"] == SPLIT].drop(columns="split")
    rows = metrics.made(comparison)
    rows = rows[rows["split"] == SPLIT]
    family = rows["learner"].str.split("/").str[0]
    rows = rows[~family.duplicated() | rows["chosen"]]
    how = [
        ("used for predictions" if row.chosen else "the highest of its kind on test")
        + (f"; {row.tracks} of the {TRACKS} tracks" if row.tracks < TRACKS else "")
        for row in rows.itertuples()
    ]
    ours = pd.DataFrame(
        {
            "method": rows["learner"],
            "input": "",
            "accuracy": rows["test_accuracy"],
            "low": rows["test_low"],
            "high": rows["test_high"],
            "tracks": rows["tracks"],
            "protocol": how,
            "source": OURS,
        }
    )
    table = pd.concat([published, ours]).astype({"tracks": "Int64"})
    return table[ours.columns].sort_values(
        "accuracy", ascending=False, kind="stable", ignore_index=True
    )


_SHOWN = {
    "method": ("Method", markdown.escape),
    "input": ("Input", markdown.escape),
    "accuracy": ("Test accuracy, %", markdown.percent),
    "interval": ("95 % interval", str),
    "tracks": ("Test tracks", str),
    "protocol": ("How", markdown.escape),
    "source": ("Source", markdown.escape),
}

NOTE = (
    f"All on the {TRACKS} test tracks of FMA small's official split. An accuracy of 50 % has an "
    "interval of at least 3.4 points on either side there, the published ones too."
)


def to_markdown(table: pd.DataFrame, *, note: str = "") -> str:
    """Write what `standing` returned for reading."""
    ends = zip(table["low"], table["high"], strict=True)
    interval = ["" if pd.isna(low) else markdown.interval(low, high) for low, high in ends]
    shown = markdown.table(table.assign(interval=interval), _SHOWN)
    return "\n\n".join(["## Published on FMA small, and this run", shown, NOTE, note]).strip()
