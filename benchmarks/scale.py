"""Time what Snakemake itself costs with thousands of tracks: dry runs, and a job for each track.

The corpora are folders of tiny files. Dry runs ask for all tables and figures. Real runs ask for
the WAV of every track, with a stand-in for ffmpeg that only makes an empty file, so that next to
nothing but scheduling and starting jobs is left; a run after it has nothing to do. The cost of a
track is the processor time of Snakemake's own process beyond that of a dry run for the same
target: other work on the machine changes it less than the time elapsed, which is shown beside it.
`--plot` draws how all of it grows.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from genreflow.layout import Layout

ROOT = Path(__file__).parents[1]
SHARD = 128
"""About how many tracks a shard has."""

SIZES = (1_000, 8_000, 106_574)
"""FMA small and large, and a small corpus."""

DRY_RUN = {8_000: (15, 2_500), 106_574: (120, 2_500)}
"""Most seconds and MB that a dry run of so many tracks may take."""

NO_OP = 15
"""Most seconds that a run of 8,000 tracks takes which has nothing to do."""

AUDIO = (1_000, 8_000)
"""Numbers of tracks of which the WAVs are made."""

MILLISECONDS = 20
"""Most that a track may cost in the audio stage."""

GROWTH = 1.5
"""Most by which the cost of a track may grow from one number of tracks to the next."""

LAUNCHER = """
import json, re, resource, sys, time
from pathlib import Path
from snakemake.cli import main
start = time.perf_counter()
try:
    main(sys.argv[2:])
except SystemExit as end:
    code = end.code
elapsed = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
jobs = resource.getrusage(resource.RUSAGE_CHILDREN)
# Not ru_maxrss, which a process takes over from the one that starts it.
memory = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000
spent = [used.ru_utime + used.ru_stime, memory, jobs.ru_utime + jobs.ru_stime]
with open(sys.argv[1], "w") as file:
    json.dump([code, elapsed, *spent, jobs.ru_maxrss / 1000], file)
"""


@dataclass(frozen=True)
class Run:
    """What a run of Snakemake took.

    Attributes
    ----------
    elapsed
        Wall time [s].
    processor, memory
        Of Snakemake's own process [s, MB].
    jobs, largest
        Processor time of all jobs [s], and memory of the largest process among them [MB], which
        is no less than Snakemake's own.
    """

    elapsed: float
    processor: float
    memory: float
    jobs: float
    largest: float


def make_corpus(folder: Path, tracks: int) -> None:
    """Write tracks of a few bytes in folders of eight genres, and the configuration."""
    for genre in range(8):
        (folder / "music" / f"genre {genre}").mkdir(parents=True)
    for number in range(tracks):
        path = folder / "music" / f"genre {number % 8}" / f"{number:06d}.wav"
        path.write_bytes(number.to_bytes(4, "big"))
    corpus = {"name": "made", "kind": "folder", "audio": "music", "shards": -(-tracks // SHARD)}
    config = {"corpus": corpus, "splits": ["grouped"]}
    (folder / "made.yaml").write_text(json.dumps(config), encoding="utf-8")


def make_stand_in(folder: Path) -> Path:
    """Write a program that takes ffmpeg's place and makes its last argument an empty file."""
    program = folder / "ffmpeg"
    program.write_text('#!/bin/sh\nfor last; do :; done\n: >"$last"\n')
    program.chmod(0o755)
    return program


def measured(folder: Path, *arguments: str, **environment: str) -> Run:
    """Run Snakemake on this workflow in a folder; stop with what it said if it fails."""
    usage = folder / "usage.json"
    command = [sys.executable, "-c", LAUNCHER, str(usage), *arguments]
    command += ["--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    code, *spent = json.loads(usage.read_text()) if usage.exists() else [1]
    usage.unlink(missing_ok=True)
    if done.returncode or code:
        raise SystemExit(f"snakemake {' '.join(arguments)} failed:\n{done.stderr[-4000:]}")
    return Run(*spent)


def snakemake(folder: Path, *arguments: str, cores: int) -> Run:
    """Run Snakemake on the made corpus in a folder, with a stand-in for ffmpeg."""
    options = ("--configfile", "made.yaml", "--cores", str(cores))
    return measured(folder, *arguments, *options, IMAGEIO_FFMPEG_EXE=str(make_stand_in(folder)))


def dry_run(tracks: int, *, cores: int) -> Run:
    with tempfile.TemporaryDirectory() as name:
        make_corpus(Path(name), tracks)
        return snakemake(Path(name), "--dry-run", cores=cores)


def audio_stage(tracks: int, options: list[str], *, cores: int) -> tuple[Run, Run, Run]:
    """Make the WAV of every track; return what planning took, all of it, and a run after it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_corpus(folder, tracks)
        planned = snakemake(folder, "wavs", "--dry-run", cores=cores)
        made = snakemake(folder, "wavs", *options, cores=cores)
        wavs = len(list(folder.glob(Layout.of_corpus("made").wav("*"))))
        if wavs != tracks:
            raise SystemExit(f"{wavs} WAVs were made of {tracks} tracks")
        after = snakemake(folder, "wavs", *options, cores=cores)
        return planned, made, after


def show_dry_runs(sizes: tuple[int, ...], *, cores: int) -> tuple[bool, dict[int, Run]]:
    print("| dry run, tracks | time | processor time | memory | targets |\n|---|---|---|---|---|")
    good, runs = True, {}
    for tracks in sizes:
        runs[tracks] = run = dry_run(tracks, cores=cores)
        seconds, memory = DRY_RUN.get(tracks, DRY_RUN[8_000])
        good &= run.elapsed < seconds and run.memory < memory
        figures = f"{run.elapsed:.1f} s | {run.processor:.1f} s | {run.memory:.0f} MB"
        print(f"| {tracks:,} | {figures} | {seconds} s, {memory} MB |", flush=True)
    *_, fewer, most = sizes
    growth = runs[most].processor / most * fewer / runs[fewer].processor
    print(f"\nOf {most:,} a track costs {growth:.2f} times one of {fewer:,} (target: {GROWTH:g})")
    return good and growth <= GROWTH, runs


def show_audio_stage(
    sizes: tuple[int, ...], options: list[str], *, cores: int
) -> tuple[bool, dict[int, Run], dict[int, Run]]:
    print("\n| WAVs of tracks | time | ms of the processor a track | ms a track |", end=" ")
    print("nothing to do |\n|---|---|---|---|---|")
    costs, stages, no_ops = [], {}, {}
    for tracks in sizes:
        planned, stages[tracks], no_ops[tracks] = audio_stage(tracks, options, cores=cores)
        made, after = stages[tracks], no_ops[tracks]
        costs.append(1000 * (made.processor - planned.processor) / tracks)
        elapsed = 1000 * (made.elapsed - planned.elapsed) / tracks
        figures = f"{made.elapsed:.0f} s | {costs[-1]:.1f} | {elapsed:.1f} | {after.elapsed:.1f} s"
        print(f"| {tracks:,} | {figures} |", flush=True)
    growth = costs[-1] / costs[0]
    print(f"\nA track of the most costs {growth:.2f} times one of the fewest (target: {GROWTH:g});")
    print(f"targets: {MILLISECONDS} ms a track, {NO_OP} s where nothing is to do")
    good = max(costs) < MILLISECONDS and growth <= GROWTH
    return good and max(run.elapsed for run in no_ops.values()) < NO_OP, stages, no_ops


def draw(path: Path, curves: Mapping[str, Mapping[int, float]], *, what: str = "time") -> None:
    """Draw seconds over the number of tracks, on logarithmic axes."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "genreflow"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.6), layout="constrained")
    # As many colours as there are, first with points, then with crosses.
    looks = [(f"C{color}", marker) for marker in "ox" for color in range(10)]
    for (name, seconds), (color, marker) in zip(curves.items(), cycle(looks), strict=False):
        axes.loglog(list(seconds), list(seconds.values()), color=color, marker=marker, label=name)
    axes.set(xlabel="tracks", ylabel=f"{what} [s]")
    axes.grid(which="both", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some hundred tracks")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--subsample", type=int, help="another scheduler-subsample")
    parser.add_argument("--only", choices=["dry-runs", "audio"])
    parser.add_argument("--plot", type=Path, help="an SVG to draw")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary folders go
    options = ["--scheduler-subsample", str(args.subsample)] if args.subsample else []
    dry_runs = (100, 400) if args.quick else SIZES
    audio = (100, 400) if args.quick else AUDIO
    load = f"{os.getloadavg()[0]:.1f}"
    print(f"{args.cores} cores, load {load}, options: {' '.join(options) or 'the profile'}\n")
    good, curves = [], {}
    if args.only != "audio":
        passed, curves["dry run of everything"] = show_dry_runs(dry_runs, cores=args.cores)
        good.append(passed)
    if args.only != "dry-runs":
        passed, stages, no_ops = show_audio_stage(audio, options, cores=args.cores)
        curves |= {"audio stage, empty jobs": stages, "audio stage, nothing to do": no_ops}
        good.append(passed)
    if args.plot:
        seconds = {
            name: {tracks: run.elapsed for tracks, run in runs.items()}
            for name, runs in curves.items()
        }
        draw(args.plot, seconds)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
