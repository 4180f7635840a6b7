"""What a run says at its end: what was left out of its tables, or what failed."""

import csv
import json
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from genreflow.layout import Layout
from genreflow.runtime.cells import unguarded

NAMED = 5
"""So many learners or jobs are named; of further ones the number is said."""


def beforehand(reasons: Mapping[str, str]) -> list[str]:
    """Say before a run which learners are left out, in a line for each reason."""
    learners = defaultdict(list)
    for learner, reason in reasons.items():
        learners[reason].append(learner)
    return [f"Left out: {some(names)}: {reason}." for reason, names in learners.items()]


def results(layout: Layout) -> str:
    """Say what a run's table says, what is not in it, and where all is; "" if it made no table."""
    summary = Path(layout.table("summary", "txt"))
    if not summary.exists():  # as after --until
        return ""
    text = summary.read_text(encoding="utf-8")
    return (
        f"\n{text}\n{left_out(layout)}"
        f"The whole table: {layout.table('comparison', 'md')}\nThe report: {layout.report}"
    )


def left_out(layout: Layout) -> str:
    """Say which tracks and learners a whole run left out, and why.

    Parameters
    ----------
    layout
        Of the corpus, whose manifest and tables are there.

    Returns
    -------
    str
        A line for the tracks, if any, and one for each reason of learners; each ends the line.
    """
    counts = json.loads(Path(layout.summary).read_text(encoding="utf-8"))["excluded"]
    lines = []
    if counts:
        said = ", ".join(f"{number:,} {reason}" for reason, number in counts.items())
        lines.append(f"Tracks left out: {said} ({layout.excluded})")
    with Path(layout.table("comparison")).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("reason")]
    learners = defaultdict(list)
    for row in rows:
        learners[unguarded(row["reason"])].append(f"{row['learner']} on {row['split']}")
    lines += [f"Not made: {some(names)}: {reason}" for reason, names in learners.items()]
    return "".join(f"{line}\n" for line in lines)


def failures(jobs: Sequence[tuple[str, str]], command: str) -> str:
    """Say what failed, and the command by which the run goes on.

    Parameters
    ----------
    jobs
        The name and the log of each job that failed; empty after an interruption.
    command
        As it was given.
    """
    lines = [f"  {name}: {log}" for name, log in jobs[:NAMED]]
    if len(jobs) > NAMED:
        lines.append(f"  and {len(jobs) - NAMED} more")
    failed = [f"{len(jobs)} failed; what went wrong is in its log:", *lines] if jobs else []
    return "\n".join(
        [
            "Not everything was made.",
            *failed,
            "Whatever is whole stays. Mend what is named, if anything, and give the same command:"
            " it goes on from here.",
            f"  {command}",
        ]
    )


def command(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the command that started a run, for a shell.

    Parameters
    ----------
    argv
        Of the process.
    environment
        What started the process, such as make, may give its own command as GENREFLOW_COMMAND.
    """
    program = Path(argv[0]).name
    called = ["python", "-m", "snakemake"] if program == "__main__.py" else [program]
    return environment.get("GENREFLOW_COMMAND") or shlex.join([*called, *argv[1:]])


def some(names: Sequence[str]) -> str:
    """Name the first few, and count the rest."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
