"""The tables of the report's page, laid out from what a run measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from genreflow.corpus.tracks import PARTS
from genreflow.evaluation import markdown, metrics, significance
from genreflow.learners.predictions import marked
from genreflow.report.provenance import shareable
from genreflow.report.tables import Cell, Table, table

_COLUMNS = (
    *("learner", "split", "bounds", "against", "validation_accuracy"),
    *("milliseconds", "macro_f1", "top2_accuracy", "log_loss", "calibration_error", "published"),
    *("training_accuracy", "fold_mean", "seed_sd", "fold_sd", "repeat_sd", "parameters"),
    *("tracks", "groups", "seeds", "folds"),
)
"""Columns of the ranking, as far as they tell learners apart."""

_ALWAYS = ("learner", "bounds")

_CAPTIONS = {
    "classify": "Classifiers, with the best parameters of their grids",
    "ffnn": "Feed-forward networks",
}

_TIMES = ("median", "p95", "model", "clip", "clip_95th_percentile", "file")

_ALIKE = {
    "tracks": lambda count: markdown.many(count, "test track"),
    "groups": lambda count: markdown.many(count, "artist"),
    "baseline": lambda share: f"chance {100 * share:.1f} %",
    "folds": lambda count: markdown.many(count, "fold"),
    "seeds": lambda count: markdown.many(count, "seed"),
    "interval": "95 % intervals: {}".format,
}
"""What is said once above the ranking where it is the same for all learners."""


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


def ranking(comparison: pd.DataFrame, tests: pd.DataFrame | None) -> Table:
    """Lay out the comparison: who, how well, between which bounds, and at which cost.

    `comparison` and `tests` are of `evaluation.metrics` and, if anything,
    `evaluation.significance`.
    """
    made = metrics.made(comparison)
    best = made.groupby("split")["test_accuracy"].transform("max")
    highest = made.index[made["test_accuracy"] == best]
    used = comparison.index[comparison["chosen"]]
    shown = comparison.assign(
        learner=[
            _learner(
                row,
                ["used for predictions"] * (row.Index in used)
                + ["highest on test"] * (row.Index in highest),
            )
            for row in comparison.itertuples()
        ],
        bounds=pd.Series({row.Index: _accuracy(row) for row in made.itertuples()}, dtype=object),
        milliseconds=1000 * comparison["latency_seconds"].astype(float),
        against=_against(made, tests),
    )
    kept = [
        name for name in _COLUMNS if name in shown and (name in _ALWAYS or _differs(shown[name]))
    ]
    write = {"milliseconds": milliseconds, "parameters": lambda count: Cell(f"{count:,.0f}", count)}
    return table(shown[kept], caption="All learners, by test accuracy", write=write)


def _differs(column: pd.Series) -> bool:
    return column.drop_duplicates().size > 1


def _learner(row: Any, badges: Sequence[str] = (), *, is_short: bool = False) -> Cell:
    """Name a learner, with what must stand by its numbers, or why it has none."""
    is_made = not pd.isna(row.test_accuracy)
    mark = [row.mark] if isinstance(row.mark, str) and row.mark else []
    name = "" if is_short or row.title == row.learner else row.learner
    return Cell(
        row.title,
        link=anchor(row.split, row.learner) if is_made else "",
        badges=[*mark, *badges, *([] if is_made else ["not made"])],
        small=name if is_made else f"{name}: {row.reason}".removeprefix(": "),
    )


def _accuracy(row: Any) -> Cell:
    ends = row.test_low, row.test_accuracy, row.test_high
    low, middle, high = (f"{100 * end:.1f}" for end in ends)
    return Cell(middle, row.test_accuracy, range=ends, small=f"{low} to {high}")


def milliseconds(number: float) -> Cell:
    """Write a time [ms]."""
    return Cell(markdown.milliseconds(number / 1000), number)


def _against(made: pd.DataFrame, tests: pd.DataFrame | None) -> pd.Series:
    """Say of each learner whether a test tells it from the first of its split."""
    said = pd.Series("", index=made.index)
    if tests is None:
        return said
    for split, rows in made.groupby("split"):
        own = tests[(tests["split"] == split) & (tests["learner"] == rows["learner"].iloc[0])]
        found = own.set_index("other")
        for index, name in rows["learner"].items():
            if name == rows["learner"].iloc[0]:
                said[index] = "the first"
            elif name in found.index:
                row = found.loc[name]
                said[index] = f"yes, p {row['p_corrected']:.2g}" if row["better"] else "no"
    return said


def alike(comparison: pd.DataFrame) -> str:
    """Say what is the same for all learners that were made, split by split."""
    said = []
    made = metrics.made(comparison)
    for split, rows in made.groupby("split"):
        own = [
            write(rows[name].iloc[0])
            for name, write in _ALIKE.items()
            if name in rows and rows[name].notna().all() and not _differs(rows[name])
        ]
        said.append(f"Split {split}: {', '.join(own)}")
    return "; ".join(said)


def recall(found: pd.DataFrame, comparison: pd.DataFrame, split: str) -> Table | None:
    """Lay out recall by genre, one row per learner of a split, the hardest genre first.

    `found` is what `evaluation.metrics.recall` returned.
    """
    own = found[found["split"] == split].astype({"support": int})
    own = own.assign(recall=pd.to_numeric(own["recall"], errors="coerce"))
    wide = own.pivot_table(index="learner", columns="genre", values="recall", observed=True)
    if wide.empty:
        return None
    rows = metrics.made(comparison)
    rows = rows[rows["split"] == split].set_index("learner", drop=False)
    support = own.groupby("genre")["support"].max()
    order = wide.mean().sort_values(kind="stable").index
    headings = {genre: f"{genre} ({support[genre]:,})" for genre in order}
    wide = wide.loc[rows.index.intersection(wide.index), order].rename(columns=headings)
    names = [_learner(row, is_short=True) for row in rows.loc[wide.index].itertuples()]
    return table(
        wide.assign(learner=names)[["learner", *wide]],
        caption="Recall by genre, %, hardest genre first; in brackets its test tracks",
        names=wide.columns,
        write={name: lambda share: Cell(f"{100 * share:.0f}", share, shade=share) for name in wide},
    )


def take_tests(tables: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Take the tests of learners against each other out of the tables, known by their columns."""
    for name, found in tables.items():
        if set(significance.COLUMNS) <= set(found):
            tables.pop(name)
            return found.astype(dict.fromkeys(("p", "p_corrected"), float))
    return None


def pairs(tests: pd.DataFrame | None) -> Table | None:
    """Lay out the tests in which learners differ."""
    if tests is None or tests.empty:
        return None
    found = tests[tests["better"] != ""].sort_values("p_corrected", kind="stable")
    caption = f"{len(found):,} of {len(tests):,} pairs of learners differ significantly"
    return table(_split_last(found.drop(columns="better")), caption=caption)


def further(tables: Mapping[str, pd.DataFrame], marks: Mapping[str, str] | None) -> list[Table]:
    """Lay out all other tables, by name; a table of latencies comes last, in two parts."""
    captioned = {
        _CAPTIONS.get(name) or name.replace("_", " ").capitalize(): own
        for name, own in tables.items()
    }
    if "step" in captioned.get("Latency", ()):
        captioned |= _latency(captioned.pop("Latency"), marks)
    times = dict.fromkeys(_TIMES, milliseconds)
    return [
        table(_split_last(own), caption=caption, write=times) for caption, own in captioned.items()
    ]


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
