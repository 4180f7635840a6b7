"""What a run says at its end: what was left out of its tables, or what failed."""

import csv
import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from genreflow.audio.collect import describe
from genreflow.corpus.genres import NO_GENRE
from genreflow.corpus.tracks import Listing
from genreflow.errors import some
from genreflow.layout import Layout
from genreflow.runtime import outcomes
from genreflow.runtime.cells import unguarded
from genreflow.runtime.files import read_table
from genreflow.runtime.logs import last_words


def beforehand(listing: Listing, reasons: Mapping[str, str]) -> list[str]:
    """Say before a run what the list of tracks tells, and which learners are left out, and why."""
    lines = [*listing.notes, *filter(None, [describe(listing.passed_over.values())])]
    if own := listing.left_out.get(NO_GENRE):
        lines.append(f"Without a genre: {len(own):,} files, first {own[0].path}.")
    if listing.missing:
        first = listing.missing[0]
        why = listing.why.get(first.track_id, "not there")
        lines.append(f"Not usable: {len(listing.missing):,} files, first {first.path}: {why}.")
    learners = defaultdict(list)
    for learner, reason in reasons.items():
        learners[reason].append(learner)
    return [*lines, *(f"Left out: {some(own)}: {why}." for why, own in learners.items())]


def results(layout: Layout, matrices: Iterable[str], command: str) -> str:
    """Say what a run's table says, what is not in it, where all is, and what can be done next.

    It is "" if the run made no table. `matrices` are as for `left_out`, and `command` is as for
    `failures`.
    """
    summary = Path(layout.table("summary", "txt"))
    if not summary.exists():  # as after --until
        return ""
    text = summary.read_text(encoding="utf-8")
    return (
        f"\n{text}\n{left_out(layout, matrices)}"
        f"The whole table: {layout.table('comparison', 'md')}\nThe report: {layout.report}\n"
        f"Next, the genres of your own files by the best learner: {predicting(command)}"
    )


def predicting(command: str) -> str:
    """Return the command that predicts files by what a command made."""
    if command.startswith("make run"):
        return f"{command.replace('run', 'predict', 1)} FILES=PATH"
    # Behind --config the target would be taken for a setting.
    before, program, after = command.partition("snakemake")
    if " --config " in after:
        return f"{before}{program} predict{after.replace('--config', '--config predict=PATH', 1)}"
    return f"{before}{program} predict{after} --config predict=PATH"


def left_out(layout: Layout, matrices: Iterable[str] = ()) -> str:
    """Say which tracks and learners a whole run left out, and why.

    `matrices` are the names of the feature matrices that learners take. There are lines for the
    tracks, if any, and one for each reason of learners; each ends the line.
    """
    lines = losses(layout, matrices)
    with Path(layout.table("comparison")).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("reason")]
    learners = defaultdict(list)
    for row in rows:
        learners[unguarded(row["reason"])].append(f"{row['learner']} on {row['split']}")
    lines += [f"Not made: {some(names)}: {reason}" for reason, names in learners.items()]
    return "".join(f"{line}\n" for line in lines)


def losses(layout: Layout, matrices: Iterable[str]) -> list[str]:
    """Say what of a corpus isn't used, and why, in lines; `matrices` are as for `left_out`."""
    summary = json.loads(Path(layout.summary).read_text(encoding="utf-8"))
    lines = []
    if counts := summary["excluded"]:
        said = ", ".join(f"{number:,} {reason}" for reason, number in counts.items())
        lines.append(f"Tracks left out: {said} ({layout.excluded})")
    if number := summary["without_genre"]:
        where = _can_be_predicted(layout)
        lines.append(f"Without a genre, and so left out: {number:,}{where}")
    if said := describe(Counter(summary["passed_over"]).elements()):
        lines.append(f"{said} ({layout.excluded})")
    return [*lines, *summary["notes"], *_without_features(layout, matrices)]


def _can_be_predicted(layout: Layout) -> str:
    """Say how files get a genre that have none, if they are known."""
    path = Path(layout.without_genre)
    known = path.exists() and len(path.read_text(encoding="utf-8").splitlines()) > 1
    return f" (listed in {path}, which `predict` takes)" if known else ""


def _without_features(layout: Layout, matrices: Iterable[str]) -> Iterator[str]:
    """Say which tracks of the manifest lack the features of which matrix, and why.

    What is said of a table as a whole is of no track.
    """
    used = set(read_table(layout.tracks)["track_id"])
    for name in matrices:
        lost = read_table(layout.without_features(name))
        yield from (f"Features {name}: {said}" for said in lost["reason"][lost["track_id"] == ""])
        for reason, rows in lost[lost["track_id"].isin(used)].groupby("reason", sort=False):
            ids = list(rows["track_id"])
            tracks = "1 track" if len(ids) == 1 else f"{len(ids):,} tracks"
            yield f"Without features {name}: {tracks}, {some(ids)}: {reason}"


def accuracies(paths: Iterable[str], parts: Sequence[str]) -> str:
    """Say how often a learner is right in each part, over all of its folds and seeds.

    For example ``validation 64.6 %, test 95.8 %``; "" if it couldn't be made.
    """
    right, total = Counter(), Counter()
    for path in paths:
        if outcomes.reason_of(path):
            return ""
        with Path(path).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                total[row["part"]] += 1
                right[row["part"]] += row["genre"] == row["predicted"]
    said = (f"{part} {100 * right[part] / total[part]:.1f} %" for part in parts if total[part])
    return ", ".join(said)


def failures(
    jobs: Iterable[tuple[str, str]], command: str, known: Mapping[str, str] | None = None
) -> str:
    """Say what failed and why, and the command by which the run goes on.

    `jobs` are the name of the rule and the log of each that failed; none after an interruption.
    `known` is what else is known of why, by the log.
    """
    causes = defaultdict(list)
    for name, log in jobs:
        cause = (known or {}).get(log) or last_words(log) or "it ended without a word"
        causes[name, cause].append(log)
    number = sum(map(len, causes.values()))
    lines = ["Not everything was made."]
    if causes:
        lines = [f"Not everything was made: {number} job{'s' * (number > 1)} failed."]
    for (name, cause), logs in causes.items():
        several = f" ({len(logs)} jobs, whose logs end alike)" if len(logs) > 1 else ""
        lines += [f"  {name}{several}: {cause}", f"    {logs[0]}"]
    return "\n".join(
        [
            *lines,
            "Whatever is whole stays. Mend what is named, if anything, and give the same command:"
            " it goes on from here.",
            f"  {command}",
        ]
    )


def command(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the command that started a run, for a shell.

    What started the process, such as make, may give its own command as GENREFLOW_COMMAND.
    """
    program = Path(argv[0]).name
    called = ["python", "-m", "snakemake"] if program == "__main__.py" else [program]
    return environment.get("GENREFLOW_COMMAND") or shlex.join([*called, *argv[1:]])
