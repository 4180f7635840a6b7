"""What a comparison of learners says, in words."""

import pandas as pd

from genreflow.evaluation import markdown, metrics

EASIER = 0.1
"""By so much more accuracy on test than on validation, test is much easier."""


def named(row: pd.Series) -> str:
    """Return what a sentence calls a learner of the comparison: its title, and its name."""
    name, title = row["learner"], row.get("title", row["learner"])
    return name if title == name else f"{title} ({name})"


def _said(split: str, rows: pd.DataFrame, tests: pd.DataFrame | None, chosen_by: str) -> str:
    """Say in words which learner of one split is ahead, and whether that means anything."""
    count, rows = len(rows), metrics.made(rows)
    if rows.empty:
        return f"{split}: none of {count} learners could be made; the table says why."
    first, others = rows.iloc[0], rows.iloc[1:]
    tied = 0
    if tests is not None:
        beats = (tests["split"] == first["split"]) & (tests["better"] == first["learner"])
        tied = len(others) - int(beats.sum())
    rank = ""
    if len(others):
        rank = "highest " if tests is None or tied else "best "
    said = (
        f"{first['split']}: {rank}test accuracy {markdown.percent(first['test_accuracy'])} % "
        "(95 % interval "
        f"{markdown.interval(first['test_low'], first['test_high'])} %) by {named(first)} "
        f"on {tracks_of(first)}; naming the most frequent genre every time scores "
        f"{markdown.percent(first['baseline'])} % (chance)."
    )
    if first["test_low"] <= first["baseline"]:
        said += " That can't be told from chance."
    if tied:
        tests = tests[tests["split"] == first["split"]]
        said += (
            f" {' or '.join(tests['test'].unique())}, corrected for many comparisons, finds no "
            f"significant difference between it and {tied} of {len(others)} other learners."
        )
    said += easier(rows) + _used(rows, chosen_by)
    if count > len(rows):
        said += f" {count - len(rows)} of {count} learners couldn't be made; the table says why."
    return said


def tracks_of(row: pd.Series) -> str:
    """Say on how many tracks, of how many artists, the learner of a row was tested."""
    artists = row.get("groups")
    of = "" if pd.isna(artists) else f" of {artists:.0f} artist{'s' * bool(artists > 1)}"
    return f"{row['tracks']} tracks{of}"


def easier(rows: pd.DataFrame) -> str:
    """Say so where the test part is much easier than the validation part, and why it may be.

    `rows` are those of the learners of one split that were made. What is returned is "", or
    sentences that begin with a blank.
    """
    gaps = rows["test_accuracy"] - rows["validation_accuracy"]
    if not gaps.median() > EASIER:
        return ""
    first, higher, known = rows.iloc[0], int((gaps > 0).sum()), int(gaps.notna().sum())
    artists = "artists" if pd.notna(first.get("groups")) else "tracks"
    return (
        f" The test part is easier than the validation part: {higher} of {known} learners score "
        f"higher on it, by {100 * gaps.median():.0f} points in the median ({named(first)} "
        f"{markdown.percent(first['test_accuracy'])} against "
        f"{markdown.percent(first['validation_accuracy'])} %). The parts hold different {artists}, "
        "and few of them make one part easy by chance; tracks that share an artist or album with "
        "training make one easy, too. On other music expect something in between, or less."
    )


def _used(rows: pd.DataFrame, chosen_by: str) -> str:
    """Say what is used for predictions."""
    if not rows["chosen"].any():
        return ""
    one = rows[rows["chosen"]].iloc[0]
    by = f", {chosen_by}" if chosen_by else ""
    held = one["validation_accuracy"]
    known = "" if pd.isna(held) else f"{markdown.percent(held)} % on validation, "
    return (
        f" Used for predictions: {named(one)}{by} "
        f"({known}{markdown.percent(one['test_accuracy'])} % on test)."
    )


def summary(
    table: pd.DataFrame, tests: pd.DataFrame | None = None, *, note: str = "", chosen_by: str = ""
) -> str:
    """Say in a few words what a comparison shows.

    `table` is what `evaluation.metrics.comparison` returned, and `tests` what
    `evaluation.significance.pairs` did for the same entries and marks; `note` is a line put below,
    and `chosen_by` is by what the learner that is used for predictions was chosen, as
    `choice.marked` says it.

    Each split has a line: the learner with the highest test accuracy, its interval and chance. It
    is called best only if the tests say that it is better than each of the others. Then whether
    test is much easier than validation, that is by more than `EASIER` in the median over learners;
    what is used for predictions; and how many couldn't be made.
    """
    lines = [
        _said(split, rows, tests, chosen_by) for split, rows in table.groupby("split", sort=False)
    ]
    return "\n".join([*lines, note] if note else lines)
