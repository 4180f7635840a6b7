"""Rehearse FMA at its real size: make a corpus of so many clips, run each stage, and measure it.

Every clip is a real one with its MPEG frames rotated, so that nothing is encoded: ten clips of 30 s
make up to 11,000 different ones. They lie in FMA's layout, with a tracks.csv whose genres and
splits are those of FMA's own (`--labels`). What is left out of `config/fma_small.yaml` are epochs.
What each stage takes is kept in the work folder: a rehearsal that was stopped goes on with the
first stage that isn't done. Accuracies say nothing: which clip a track is made of depends on its
genre by chance.
"""

import argparse
import csv
import json
import os
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import yaml
from scale import measured

ROOT = Path(__file__).parents[1]
NAME = "rehearsal"
RESULTS = Path("results") / NAME

RATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III by the header's index, in MPEG 1 (3) and MPEG 2 [kbit/s]."""

SAMPLING = (44_100, 48_000, 32_000)
"""Sampling rates of MPEG 1 by the header's index [Hz]."""

OWN_CLIP = 0.6
"""Share of the tracks that are made of one of their genre's clips, the others of any."""

STAGES: Mapping[str, Sequence[str]] = {
    "dry run of everything": ("--dry-run",),
    "WAVs": ("wavs",),
    "audit, manifest, split": ("--until", "split"),
    "log-mel images": ("--until", "spectrograms"),
    "CNN `residual`": ("--until", "cnn"),
    "musicnn": (f"{RESULTS}/features/musicnn/penultimate.h5",),
    "518 hand-crafted features": (f"{RESULTS}/features/handcrafted.h5",),
    "both joined": ("--until", "joined_features"),
    "feed-forward networks": ("--until", "ffnn"),
    "classifiers": ("--until", "classify"),
    "ensembles": ("--until", "ensemble"),
    "latency": ("--until", "latency"),
    "tables": ("--until", "tables", "ffnn_table", "classify_table", "handcrafted_table"),
    "figures and report": (),
    "nothing to do": (),
}
"""What Snakemake is asked for, stage by stage; what is done already isn't done again."""


def frames_of(path: Path) -> list[bytes]:
    """Cut an MP3 into its frames, without tags and the encoder's first one."""
    content = path.read_bytes()
    place = 0
    if content[:3] == b"ID3":
        high, *low = content[6:10]
        place = 10 + (high << 21) + (low[0] << 14) + (low[1] << 7) + low[2]
    frames = []
    while (place := content.find(b"\xff", place)) >= 0 and place + 4 <= len(content):
        length = _length(content[place : place + 4])
        if not length or place + length > len(content):
            place += 1
            continue
        frames.append(content[place : place + length])
        place += length
    if not frames:
        raise SystemExit(f"{path} has no frames of MPEG layer III: expected an MP3")
    told = re.search(b"Xing|Info|VBRI", frames[0])
    return frames[1:] if told else frames


def _length(header: bytes) -> int:
    """Return the bytes of the frame that a header of layer III begins, 0 if it is none."""
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate, sampling, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if header[1] >> 5 != 7 or layer != 1 or version == 1 or not 0 < rate < 15 or sampling == 3:
        return 0
    per_second = SAMPLING[sampling] >> (3 - version if version else 2)
    coefficient = 144 if version == 3 else 72
    return coefficient * 1000 * RATES[max(version, 2)][rate] // per_second + padding


class Clips:
    """Clips that never repeat: those of a folder, rotated.

    Parameters
    ----------
    folder
        MP3s, at any depth.
    """

    def __init__(self, folder: Path) -> None:
        self.frames = [frames_of(path) for path in sorted(folder.rglob("*.mp3"))]
        if not self.frames:
            raise SystemExit(f"there is no MP3 in {folder}")
        self.rng = random.Random(0)
        self.left = [random.Random(0).sample(range(len(own)), len(own)) for own in self.frames]

    def next(self, genre: int) -> bytes:
        """Return a new clip for a track of a genre."""
        own = [genre % len(self.left), (genre + 1) % len(self.left)]
        chosen = self.rng.choice(own) if self.rng.random() < OWN_CLIP else -1
        if not self.left[chosen] or chosen < 0:
            chosen = self.rng.choice([place for place, left in enumerate(self.left) if left])
        frames, first = self.frames[chosen], self.left[chosen].pop()
        return b"".join(frames[first:] + frames[:first])


def read_labels(path: Path, tracks: int) -> list[dict[str, str]]:
    """Return the rows of so many tracks, evenly of each genre in each part, by ascending id."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if tracks > len(rows):
        raise SystemExit(f"{path} labels {len(rows)} tracks, fewer than {tracks}")
    rows.sort(key=lambda row: (row["split"], row["genre_top"]))
    chosen = [rows[number * len(rows) // tracks] for number in range(tracks)]
    return sorted(chosen, key=lambda row: int(row["track_id"]))


def artists(rows: Sequence[Mapping[str, str]]) -> Iterator[int]:
    """Give each track an artist, who has up to five tracks of one genre in one part."""
    rng, now, left, last = random.Random(1), {}, {}, 0
    for row in rows:
        key = row["genre_top"], row["split"]
        if not left.get(key):
            last += 1
            now[key], left[key] = last, rng.randint(1, 5)
        left[key] -= 1
        yield now[key]


def write_tracks(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Write FMA's tracks.csv of some tracks, all of the subset small."""
    numbers = list(artists(rows))
    columns = {
        ("album", "id"): numbers,
        ("album", "title"): [f"Album {number}" for number in numbers],
        ("artist", "id"): numbers,
        ("artist", "name"): [f"Artist {number}" for number in numbers],
        ("set", "split"): [row["split"] for row in rows],
        ("set", "subset"): "small",
        ("track", "genre_top"): [row["genre_top"] for row in rows],
        ("track", "license"): "",
        ("track", "title"): [f"Track {row['track_id']}" for row in rows],
    }
    index = pd.Index([int(row["track_id"]) for row in rows], name="track_id")
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns, index=index).to_csv(path, lineterminator="\n")


def make_corpus(clips: Path, labels: Path, tracks: int, folder: Path) -> None:
    """Make a corpus in FMA's layout; the metadata are written last."""
    written = folder / "fma_metadata" / "tracks.csv"
    if written.exists():
        return
    rows, made = read_labels(labels, tracks), Clips(clips)
    genres = sorted({row["genre_top"] for row in rows})
    for row in rows:
        number = int(row["track_id"])
        path = folder / "fma_small" / f"{number // 1000:03d}" / f"{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.next(genres.index(row["genre_top"])))
    write_tracks(rows, written)


def write_settings(work: Path, tracks: int, epochs: int, cores: int) -> None:
    """Write what is other than in the configuration: where the corpus is, epochs, threads."""
    settings = {
        "corpus": {"name": NAME, "audio": "fma", "shards": -(-tracks // 125)},
        "cnn": {"variants": {"residual": {"epochs": epochs}}, "threads": cores},
        "transfer": {"threads": cores},
        "classify": {"threads": cores},
    }
    (work / "rehearsal.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def run(work: Path, config: Path, arguments: Sequence[str], cores: int) -> dict[str, float]:
    """Run a stage; return what it took, and what was on the disk before and after."""
    command = [*arguments, "--benchmark-extended", "--cores", str(cores)]
    options = ["--configfile", str(config), "rehearsal.yaml"]
    before, busy, at = disk(work), _busy(), time.perf_counter()
    done = measured(work, *command[: len(arguments)], *options, *command[len(arguments) :])
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


def rehearse(work: Path, config: Path, cores: int) -> pd.DataFrame:
    """Run the stages that aren't done, one after another; return what all of them took."""
    kept = work / "stages.json"
    done = json.loads(kept.read_text()) if kept.exists() else []
    for name, arguments in STAGES.items():
        if name in {one["stage"] for one in done}:
            continue
        start = time.time()
        took = run(work, config, arguments, cores)
        rules = jobs_since(work, start).groupby("rule")
        found = rules.agg({"seconds": ["size", "sum"], "peak_mb": "max", "mem_mb": "max"})
        found.columns = ["jobs_run", "seconds", "peak_mb", "mem_mb"]
        done.append({"stage": name, **took, "rules": found.reset_index().to_dict("records")})
        kept.write_text(json.dumps(done, indent=1))
        print(line_of(done[-1]), flush=True)
    return done


HEAD = """
| stage | jobs | wall | processor time | Snakemake's own | a job's memory, of `mem_mb` | disk |
|---|---|---|---|---|---|---|"""


def line_of(stage: Mapping) -> str:
    """Return a stage's line of the table."""
    rules = [one for one in stage["rules"] if one["peak_mb"] == one["peak_mb"]]
    worst = max(rules, key=lambda one: one["peak_mb"] / one["mem_mb"], default=None)
    memory = f"{worst['peak_mb']:.0f} of {worst['mem_mb']:.0f} MB" if worst else ""
    jobs = sum(one["jobs_run"] for one in stage["rules"])
    figures = (
        f"{jobs:,}",
        f"{stage['elapsed']:.0f} s",
        f"{stage['jobs']:.0f} s",
        f"{stage['processor']:.0f} s, {stage['memory']:.0f} MB",
        memory,
        f"{stage['disk'] / 1e6:,.0f} MB",
    )
    return f"| {stage['stage']} | {' | '.join(figures)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="?", type=Path, help="a folder of MP3s of some 30 s")
    parser.add_argument("--labels", type=Path, help="CSV: track_id, genre_top, split")
    parser.add_argument("--tracks", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=1, help="of the CNN")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "fma_small.yaml")
    parser.add_argument("--work", type=Path, default=ROOT / ".genreflow" / NAME)
    given = parser.parse_args()
    if not given.clips or not given.labels:
        print("rehearsal.py: nothing to do without CLIPS, a folder of MP3s, and --labels")
        return 0
    given.work.mkdir(parents=True, exist_ok=True)
    make_corpus(given.clips, given.labels, given.tracks, given.work / "fma")
    write_settings(given.work, given.tracks, given.epochs, given.cores)
    print(f"{given.tracks:,} tracks, {given.cores} cores\n{HEAD}", flush=True)
    rehearse(given.work, given.config.absolute(), given.cores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
