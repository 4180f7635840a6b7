"""Time the hand-crafted features against librosa's functions called one after another.

    python benchmarks/handcrafted.py [AUDIO FOLDER]

Without a folder it makes its own clips. Both ways run in this one process, on one thread, in
turn, on the same clips. A time is processor time, which other work on the machine disturbs less
than the clock: the best of some runs, the mean over the clips.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "made")]

STARTED = time.perf_counter()
from genreflow.audio.decode import native  # noqa: E402
from genreflow.audio.formats import SUFFIXES  # noqa: E402
from genreflow.features import handcrafted  # noqa: E402 - its time is one of the results

IMPORTED = time.perf_counter()

REPEATS = 3
SHARED = ("magnitude", "mel_db", "constant_q")
"""What several features need: each is computed once, and has a row of its own."""


def make_clips(folder: Path) -> None:
    """Write three clips of 30 s: chords with overtones, a beat and noise."""
    import soundfile

    rate = 44100
    seconds = np.arange(30 * rate) / rate
    for seed, beats in enumerate((1.5, 2, 3)):
        rng = np.random.default_rng(seed)
        roots = 110 * 2 ** (rng.integers(0, 24, 100) / 12)
        root = roots[(seconds * beats).astype(int) % len(roots)]
        phase = 2 * np.pi * np.cumsum(root) / rate
        tone = sum(np.sin(ratio * phase) / ratio for ratio in (1, 1.25, 1.5, 2, 3, 4, 5))
        beat = np.exp(-20 * (seconds % (1 / beats)))
        noise = rng.standard_normal(len(seconds))
        left = 0.1 * tone * np.exp(-2 * (seconds % (1 / beats))) + 0.1 * noise * beat
        soundfile.write(folder / f"{seed}.mp3", np.stack([left, 0.8 * left], axis=1), rate)


def seconds_of(work: Callable[[], object]) -> float:
    start = processor_time()
    work()
    return processor_time() - start


def processor_time() -> float:
    """Return the processor time of this process, and of ffmpeg's that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def naive_steps(samples: np.ndarray, rate: int) -> Iterator[tuple[str, float]]:
    """Yield the time of each step of librosa's functions, and of the statistics."""
    import naive_features

    rows = {}
    start = time.process_time()
    for name, values in naive_features.steps(samples, rate, rate):
        yield name, time.process_time() - start
        rows[name] = values
        start = time.process_time()
    start = time.process_time()
    for name in handcrafted.FMA_FEATURES:
        naive_features.statistics(rows[name])
    yield "statistics", time.process_time() - start


def our_steps(samples: np.ndarray, rate: int) -> Iterator[tuple[str, float]]:
    """Yield the time of each shared part and each feature, and of the statistics."""
    clip = handcrafted.Analysis(samples, rate)
    for name in SHARED:
        yield name, seconds_of(lambda name=name: getattr(clip, name))
    rows = {}
    for name, one in handcrafted.available().items():
        start = time.process_time()
        rows[name] = one.compute(clip)
        yield name, time.process_time() - start
    start = time.process_time()
    for name in handcrafted.FMA_FEATURES:
        handcrafted.statistics(rows[name])
    yield "statistics", time.process_time() - start


def best_steps(
    steps: Callable[[np.ndarray, int], Iterator[tuple[str, float]]],
    clips: list[tuple[np.ndarray, int]],
) -> dict[str, float]:
    """Return the milliseconds a clip of each step."""
    total: dict[str, float] = defaultdict(float)
    for clip in clips:
        runs = [dict(steps(*clip)) for _ in range(REPEATS)]
        for name in runs[0]:
            total[name] += min(run[name] for run in runs) * 1000 / len(clips)
    return total


def compare(clips: list[tuple[np.ndarray, int]]) -> tuple[float, float]:
    """Return the seconds a track of librosa's chain and of ours, the best of some runs in turn."""
    import naive_features

    naive = ours = 0.0
    for samples, rate in clips:
        times = [
            (
                seconds_of(lambda: naive_features.table(samples, rate, rate)),  # noqa: B023
                seconds_of(lambda: handcrafted.extract(samples, rate)),  # noqa: B023
            )
            for _ in range(REPEATS)
        ]
        naive += min(one for one, _ in times) / len(clips)
        ours += min(one for _, one in times) / len(clips)
    return naive, ours


def largest_difference(clips: list[tuple[np.ndarray, int]], rates: str) -> float:
    """Return the largest relative difference of any column; below 0.01 it counts absolutely."""
    import naive_features

    worst = 0.0
    for samples, rate in clips:
        table = naive_features.table(samples, rate, rate if rates == "native" else 22050)
        expected = np.array([table[column] for column in handcrafted.columns()])
        error = np.abs(handcrafted.extract(samples, rate, rates=rates) - expected)
        worst = max(worst, float(np.nanmax(error / np.maximum(np.abs(expected), 0.01))))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="audio files; made if left out")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            folder = Path(made)
            make_clips(folder)
        files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
        if not files:
            parser.error(f"there is no audio file in {folder}")
        load_time = seconds_of(lambda: [native(path) for path in files]) / len(files)
        clips = [native(path) for path in files]
    first = seconds_of(lambda: handcrafted.extract(*clips[0]))
    warnings.simplefilter("ignore")

    naive, ours = compare(clips)
    print(f"{len(clips)} clips of {np.mean([len(y) / rate for y, rate in clips]):.1f} s\n")
    print("| a track | ms |\n|---|---:|")
    print(f"| librosa's functions, one after another | {naive * 1000:.0f} |")
    print(f"| genreflow | {ours * 1000:.0f} |")
    print(f"| decoding, in both | {load_time * 1000:.0f} |")
    print(f"\n{naive / ours:.1f} times as fast ", end="")
    print(f"({(naive + load_time) / (ours + load_time):.1f} with decoding). ", end="")
    print(f"Once a process: import {IMPORTED - STARTED:.1f} s, first clip {first:.1f} s.")
    for rates in ("native", "reference"):
        worst = largest_difference(clips, rates)
        print(f"Largest relative difference of the 518 columns, {rates} rates: {worst:.1e}")

    by_naive, by_ours = best_steps(naive_steps, clips), best_steps(our_steps, clips)
    print("\n| part | librosa, ms | genreflow, ms |\n|---|---:|---:|")
    for name, cost in by_ours.items():
        other = f"{by_naive[name]:.1f}" if name in by_naive else ""
        print(f"| {name} | {other} | {cost:.1f} |")


if __name__ == "__main__":
    main()
