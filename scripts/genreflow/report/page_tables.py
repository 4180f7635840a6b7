"""The tables of the report's page, laid out from what a run measured."""

from collections.abc import Mapping

import pandas as pd

from genreflow.corpus.tracks import PARTS
from genreflow.evaluation import metrics, significance
from genreflow.learners.predictions import marked
from genreflow.report.provenance import shareable
from genreflow.report.tables import Cell, Table, table

_FIRST = (
    *("learner", "test_accuracy", "interval", "chosen", "reason", "published", "macro_f1"),
    "validation_accuracy",
)
_LAST = ("baseline", "tracks", "groups", "seeds", "folds")
"""Columns of the ranking; what lies between is in the order of the comparison."""


def anchor(split: str, name: str) -> str:
    """Return the place of a learner in the page; no id may hold a space."""
    return f"{split}/{name}".replace(" ", "_")


def tracks_by_part(split: str, parts: pd.DataFrame, tracks: pd.DataFrame) -> Table:
    """Count the tracks of each genre in each part; of a cross-validation, in its first fold."""
    folds = parts["split"].unique()
    first = parts[parts["split"] == folds[0]].merge(tracks[["track_id", "genre"]], on="track_id")
    counted = pd.crosstab(first["genre"], first["part"]).reindex(columns=PARTS, fill_value=0)
    counted["total"] = counted.sum(axis="columns")
    fold = f": fold {folds[0]}, one of {len(folds)}" if len(folds) > 1 else ""
    return table(counted.reset_index(), caption=f"Split {split}{fold}")


def lost(found: pd.DataFrame | None) -> int:
    """Count the tracks that were left out; files that weren't looked at are none."""
    return 0 if found is None else int((found["track_id"] != "").sum())


def excluded(found: pd.DataFrame) -> Table:
    """List the tracks that were left out."""
    counts = found["reason"].value_counts().sort_index()
    said = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    if "path" in found:
        found = found.assign(path=[shareable(path) for path in found["path"]])
    return table(found, caption=f"Tracks left out: {said or 'none'}")


def ranking(split: str, rows: pd.DataFrame) -> Table:
    """Lay out the comparison of one split: first who, how well, and between which bounds."""
    made = set(metrics.made(rows)["learner"])
    ends = zip(rows["test_low"], rows["test_accuracy"], rows["test_high"], strict=True)
    shown = rows.drop(columns=["split", "test_low", "test_high"]).assign(interval=list(ends))
    shown["chosen"] = shown["chosen"].map({True: "yes", False: ""})
    first = [name for name in _FIRST if name in shown]
    last = [name for name in _LAST if name in shown]
    shown = shown[[*first, *shown.columns.drop([*first, *last]), *last]]
    return table(
        shown,
        caption=f"Split {split}, by test accuracy",
        write={
            "interval": _interval,
            "learner": lambda name: Cell(name, link=anchor(split, name) if name in made else ""),
        },
    )


def _interval(ends: tuple[float, float, float]) -> Cell:
    low, _, high = ends
    if pd.isna(low):
        return Cell("")
    return Cell(f"{100 * low:.1f} to {100 * high:.1f}", value=low, bar=ends)


def by_genre(found: pd.DataFrame) -> dict[tuple[str, str], Table]:
    """Lay out recall, precision and F1 by genre, of each split and learner."""
    return {
        (split, learner): table(
            own.drop(columns=["split", "learner"]),
            caption=f"By genre: {learner}, split {split}",
            write={"recall": lambda share: Cell(f"{100 * share:.1f}", value=share, bar=(share,))},
        )
        for (split, learner), own in found.groupby(["split", "learner"])
    }


def take_tests(tables: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Take the tests of learners against each other out of the tables, known by their columns."""
    for name, found in tables.items():
        if set(significance.COLUMNS) <= set(found):
            tables.pop(name)
            return found.astype(dict.fromkeys(("p", "p_corrected"), float))
    return None


def pairs(tests: pd.DataFrame | None) -> Table | None:
    """Lay out the tests; those that differ come first, for there may not be room for all."""
    if tests is None or tests.empty:
        return None
    count = int((tests["better"] != "").sum())
    caption = f"{count:,} of {len(tests):,} pairs of learners are shown to differ"
    return table(_split_last(tests.sort_values("p_corrected", kind="stable")), caption=caption)


def further(tables: Mapping[str, pd.DataFrame], marks: Mapping[str, str] | None) -> list[Table]:
    """Lay out all other tables, by name; a table of latencies comes last, in two parts."""
    captioned = {name.replace("_", " ").capitalize(): own for name, own in tables.items()}
    if "step" in captioned.get("Latency", ()):
        captioned |= _latency(captioned.pop("Latency"), marks)
    return [table(_split_last(own), caption=caption) for caption, own in captioned.items()]


def _latency(found: pd.DataFrame, marks: Mapping[str, str] | None) -> dict[str, pd.DataFrame]:
    """Lay out what `bundle.latency.measure` found: steps, and learners with a row each."""
    rows = found.assign(
        learner=[marked(name, marks) for name in found["name"]],
        **{key: 1000 * found[key].astype(float) for key in ("median", "p95")},
    )
    first = found.iloc[0]
    where = f"ms on {first['processor']}, {first['threads']} threads, {first['clips']} clips"
    before = rows["step"].isin(["decode", "features"])
    steps, learners = rows[before].rename(columns={"learner": "of"}), rows[~before]
    medians = learners.pivot_table(index=["learner", "device"], columns="step", values="median")
    slowest = learners[learners["step"] == "clip"].set_index(["learner", "device"])["p95"]
    wide = medians.assign(clip_95th_percentile=slowest)
    columns = ["model", "clip", "clip_95th_percentile", "file"]
    return {
        f"Latency, steps, {where}": steps[["step", "of", "device", "median", "p95"]],
        f"Latency, learners, median {where}": wide[columns].reset_index(),
    }


def _split_last(rows: pd.DataFrame) -> pd.DataFrame:
    """Let the names of the rows come first."""
    return rows[sorted(rows.columns, key="split".__eq__)]


def costs(found: pd.DataFrame) -> Table:
    """Lay out what `evaluation.costs.by_rule` found."""
    jobs, seconds = found["jobs"].sum(), found["seconds"].sum()
    caption = f"{jobs:,} jobs, {seconds:,.0f} s if one had run after the other"
    digits = {"seconds": "{:,.1f}", "longest": "{:,.1f}", "peak_mb": "{:,.0f}"}
    write = {
        name: lambda value, form=form: Cell(form.format(value), value)
        for name, form in digits.items()
    }
    return table(found, caption=caption, write=write)
