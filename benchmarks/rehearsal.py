"""Rehearse FMA at its real size: make a corpus of so many clips, run each stage, and measure it.

The clips are made of those of a folder (`made_fma.py`) and lie in FMA's layout, with a tracks.csv
whose genres and splits are those of a table (`--labels`). All of `config/fma_small.yaml` runs but
epochs. `--metadata SUBSET` makes all of FMA's metadata instead, 106,574 tracks with 518 features,
and runs `config/fma_metadata.yaml`.

What each stage takes is kept in the work folder: a rehearsal that was stopped goes on with the
first stage that isn't done. `--finished` shows what is kept in such folders, of fewest tracks
first, and how the processor time of a track grows from the first to the last. Accuracies say
nothing: what a track is made of depends on its genre by chance.
"""

import argparse
import csv
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import yaml
from genreflow.corpus.fma import SUBSETS
from made_fma import frames_of, make_corpus, make_metadata
from scale import draw, measured

ROOT = Path(__file__).parents[1]
NAME = "rehearsal"
RESULTS = Path("results") / NAME

LEARNERS = {
    "ensembles": ("--until", "ensemble"),
    "latency": ("--until", "latency"),
    "tables": ("--until", "tables", "ffnn_table", "classify_table", "handcrafted_table"),
    "figures and report": (),
    "nothing to do": (),
}
CHANGED = "one changed clip"

STAGES: Mapping[str, Sequence[str]] = {
    "dry run of everything": ("--dry-run",),
    "WAVs": ("wavs",),
    "audit, manifest, split": ("--until", "split"),
    "log-mel images": ("--until", "spectrograms"),
    "CNN `residual`": ("--until", "cnn"),
    "musicnn": (f"{RESULTS}/features/musicnn/penultimate.h5",),
    "518 hand-crafted features": (f"{RESULTS}/features/handcrafted.h5",),
    "both joined": ("--until", "joined_features"),
    "feed-forward network": ("--until", "ffnn"),
    "classifiers": ("--until", "classify"),
    **LEARNERS,
    CHANGED: ("--until", "feature_matrix", "joined_features", "spectrograms"),
}
"""What Snakemake is asked for, stage by stage; what is done already isn't done again."""

STAGES_OF_METADATA: Mapping[str, Sequence[str]] = {
    "dry run of everything": ("--dry-run",),
    "manifest, split": ("--until", "split"),
    "518 features from the table": (f"{RESULTS}/features/handcrafted.h5",),
    "nine feed-forward networks": ("--until", "ffnn"),
    "classifiers": ("--until", "classify"),
    **{name: asked for name, asked in LEARNERS.items() if name != "latency"},
}


def settings_of(given: argparse.Namespace) -> dict:
    """Return what is other than in the configuration: where the corpus is, epochs, threads."""
    corpus = {"name": NAME, "audio": "fma", "shards": -(-given.tracks // 125)}
    settings = {"corpus": corpus, "classify": {"threads": 1}}
    if given.metadata:
        table = {"table": "fma/fma_metadata/features.csv"}
        return settings | {"corpus": corpus | {"subset": given.metadata}, "handcrafted": table}
    return settings | {
        "cnn": {"variants": {"residual": {"epochs": given.epochs}}, "threads": given.cores},
    }


def run(work: Path, config: Path, arguments: Sequence[str], cores: int) -> dict[str, float]:
    """Run a stage; return what it took, the disk, and how many cores others had meanwhile."""
    options = ["--configfile", str(config), "rehearsal.yaml", "--benchmark-extended"]
    before, busy, at = disk(work), _busy(), time.perf_counter()
    done = measured(work, *arguments, *options, "--cores", str(cores))
    elapsed = time.perf_counter() - at
    others = _busy() - busy - done.processor - done.jobs
    found = asdict(done) | {"disk": disk(work) - before}
    return found | {"others": max(0.0, others / elapsed)}


def _busy() -> float:
    """Return the seconds that all processors have worked; 0 where that isn't known."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, *_ = map(int, first[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def disk(work: Path) -> int:
    """Return the bytes of all results."""
    return sum(path.stat().st_size for path in (work / RESULTS).rglob("*") if path.is_file())


def jobs_since(work: Path, start: float) -> pd.DataFrame:
    """Return the jobs that ended since a time: rule, seconds, memory and what it was given [MB]."""
    rows = []
    for path in (work / RESULTS / "benchmarks").rglob("*.tsv"):
        if path.stat().st_mtime < start:
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file, delimiter="\t"):
                given = re.search(r"mem_mb\W+(\d+)", line["resources"])
                peak = pd.to_numeric(line["max_rss"], errors="coerce")
                rows.append((line["rule_name"], float(line["s"]), peak, int(given[1])))
    return pd.DataFrame(rows, columns=["rule", "seconds", "peak_mb", "mem_mb"])


def change_clip(work: Path) -> None:
    """Rotate the frames of the first clip by one: other audio under the same name."""
    path = min((work / "fma" / "fma_small").rglob("*.mp3"))
    first, *others = frames_of(path)
    path.write_bytes(b"".join([*others, first]))


def rehearse(
    work: Path, config: Path, stages: Mapping[str, Sequence[str]], *, tracks: int, cores: int
) -> None:
    """Run the stages that aren't done, one after another, and show what each took."""
    kept = work / "stages.json"
    done = json.loads(kept.read_text()) if kept.exists() else []
    for name, arguments in stages.items():
        if name in {one["stage"] for one in done}:
            continue
        if name == CHANGED:
            change_clip(work)
        start = time.time()
        took = run(work, config, arguments, cores)
        rules = jobs_since(work, start).groupby("rule")
        found = rules.agg({"seconds": ["size", "sum"], "peak_mb": "max", "mem_mb": "max"})
        found.columns = ["jobs_run", "seconds", "peak_mb", "mem_mb"]
        by_rule = found.reset_index().to_dict("records")
        done.append({"stage": name, "tracks": tracks, **took, "rules": by_rule})
        kept.write_text(json.dumps(done, indent=1))
        print(line_of(done[-1]), flush=True)


HEAD = """
| stage | jobs | wall (others' cores) | processor time | Snakemake's own | a job's memory | disk |
|---|---|---|---|---|---|---|"""


def line_of(stage: Mapping) -> str:
    """Return a stage's line of the table."""
    rules = [one for one in stage["rules"] if one["peak_mb"] == one["peak_mb"]]
    worst = max(rules, key=lambda one: one["peak_mb"] / one["mem_mb"], default=None)
    # Short jobs are never looked at while they run; the largest of all processes is known.
    peak = max(worst["peak_mb"], stage["largest"] if len(rules) == 1 else 0) if worst else 0
    jobs = sum(one["jobs_run"] for one in stage["rules"])
    figures = (
        f"{jobs:,}",
        f"{stage['elapsed']:,.0f} s ({stage['others']:.1f})",
        f"{stage['jobs']:,.0f} s",
        f"{stage['processor']:.0f} s, {stage['memory']:.0f} MB",
        f"{peak:,.0f} of {worst['mem_mb']:,.0f} MB" if worst else "",
        f"{stage['disk'] / 1e6:,.0f} MB",
    )
    return f"| {stage['stage']} | {' | '.join(figures)} |"


def show(folders: Sequence[Path], plot: Path | None) -> None:
    """Show what rehearsals took, and draw the processor time of those stages that all have."""
    kept = [json.loads((folder / "stages.json").read_text()) for folder in folders]
    for one in kept:
        print(f"\n{one[0]['tracks']:,} tracks\n{HEAD}", *map(line_of, one), sep="\n")
    took = [{one["stage"]: one for one in own} for own in kept]
    common = [name for name in took[0] if all(name in own for own in took)]
    curves = {
        name: {own[name]["tracks"]: own[name]["jobs"] + own[name]["processor"] for own in took}
        for name in common
    }
    print("\n| stage | a track of the most, by processor time, to one of the fewest |\n|---|---|")
    for name, seconds in curves.items():
        (fewest, low), *_, (most, high) = seconds.items()
        print(f"| {name} | {high / most / (low / fewest):.2f} |")
    if plot:
        draw(plot, curves, what="processor time")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="?", type=Path, help="a folder of MP3s of some 30 s")
    parser.add_argument("--labels", type=Path, help="CSV: track_id, genre_top, split")
    parser.add_argument("--tracks", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=1, help="of the CNN")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--metadata", choices=SUBSETS, help="a subset, without audio")
    parser.add_argument("--last", help="the last stage to run")
    parser.add_argument("--finished", type=Path, nargs="+", help="work folders to show instead")
    parser.add_argument("--plot", type=Path, help="with --finished: an SVG to draw")
    parser.add_argument("--work", type=Path, default=ROOT / ".genreflow" / NAME)
    given = parser.parse_args()
    if given.finished:
        show(given.finished, given.plot)
        return 0
    if not given.metadata and not (given.clips and given.labels):
        print("rehearsal.py: nothing to do without CLIPS, a folder of MP3s, and --labels")
        return 0
    stages = STAGES_OF_METADATA if given.metadata else STAGES
    if given.last:
        stages = dict(list(stages.items())[: 1 + list(stages).index(given.last)])
    work = given.work
    if given.metadata:
        config = ROOT / "config" / "fma_metadata.yaml"
        make_metadata(work / "fma" / "fma_metadata")
    else:
        config = ROOT / "config" / "fma_small.yaml"
        make_corpus(given.clips, given.labels, given.tracks, work / "fma")
    (work / "rehearsal.yaml").write_text(yaml.safe_dump(settings_of(given)), encoding="utf-8")
    what = f"FMA {given.metadata}" if given.metadata else f"{given.tracks:,} tracks"
    print(f"{what}, {given.cores} cores\n{HEAD}", flush=True)
    rehearse(work, config, stages, tracks=given.tracks, cores=given.cores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
