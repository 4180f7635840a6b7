"""What each rule of a run cost, from the benchmark files that Snakemake writes."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from genreflow.errors import GenreflowError


def by_rule(paths: Iterable[str | Path], *, folder: str | Path) -> pd.DataFrame:
    """Add up what the jobs of each rule cost.

    Benchmark files are ``FOLDER/RULE.tsv`` or ``FOLDER/RULE/WILDCARDS.tsv``, or GenreflowError is
    raised. A job that was repeated has a line for each time; each counts as a job.

    Returns
    -------
    pandas.DataFrame
        One row per rule, the longest first: rule, jobs, seconds (wall time, added up over jobs,
        which may have run side by side), longest [s], longest_job (its wildcards, "" for a rule
        without), peak_mb (resident memory [MiB] of the largest job, NaN where none could be
        measured).
    """
    rows = [row for path in paths for row in _jobs(Path(path), Path(folder))]
    jobs = pd.DataFrame(rows, columns=["rule", "job", "seconds", "peak_mb"])
    # The name decides between jobs that took the same time.
    jobs = jobs.sort_values(["seconds", "job"], ascending=[False, True])
    rules = jobs.groupby("rule").agg(
        jobs=("job", "size"),
        seconds=("seconds", "sum"),
        longest=("seconds", "first"),
        longest_job=("job", "first"),
        peak_mb=("peak_mb", "max"),
    )
    return rules.reset_index().sort_values(
        ["seconds", "rule"], ascending=[False, True], ignore_index=True
    )


def _jobs(path: Path, folder: Path) -> list[tuple[str, str, float, float]]:
    """Read one benchmark file; thousands of them, so that pandas would take too long."""
    try:
        rule, *rest = path.relative_to(folder).with_suffix("").parts
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        if not lines:
            raise ValueError("it has no line of a job")
        # What is too short to be looked at has NA for its memory, or "-" in older files.
        return [
            (rule, "/".join(rest), float(line["s"]), _number(line["max_rss"])) for line in lines
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenreflowError(
            f"{path}: expected one of Snakemake's benchmark files below {folder}, with the columns "
            f"s and max_rss ({error!r}). Remove it and run the workflow again."
        ) from error


def _number(text: str) -> float:
    return float("nan") if text in ("NA", "-", "") else float(text)
