"""Time a shard of log-mel images against librosa's documented calls on the same WAVs.

Both read the WAVs, make the study's images and write the same HDF5 file, in one process on one
thread. Rounds alternate, so that other work on the machine slows down both. The ratio is one of
processor time, which such work changes least; medians over the rounds are compared.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

THREADS = "1"
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = THREADS  # read when NumPy is imported

import h5py  # noqa: E402
import librosa  # noqa: E402
import numpy as np  # noqa: E402
import soundfile  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow import config as configuration  # noqa: E402
from genreflow.features.spectrograms import Settings, open_images, write_shard  # noqa: E402
from peak import processor  # noqa: E402

DEFAULTS = configuration.complete({})
STUDY = Settings(**DEFAULTS["audio"] | DEFAULTS["spectrogram"])
TARGET = 2.0


def make_wavs(folder: Path, clips: int) -> list[tuple[str, str, Path]]:
    """Make clips of decaying notes and noise, of the full length."""
    rng = np.random.default_rng(0)
    seconds = np.arange(STUDY.max_samples) / STUDY.sample_rate
    tracks = []
    for number in range(clips):
        sound = 0.1 * rng.standard_normal(len(seconds)) * np.exp(-8 * (seconds % 0.5))
        for pitch in 55 * 2 ** (rng.integers(0, 48, 6) / 12):
            since = (seconds - rng.uniform(0, 2)) % 2
            sound += np.sin(2 * np.pi * pitch * seconds) * np.exp(-3 * since)
        path = folder / f"{number}.wav"
        soundfile.write(path, 0.9 * sound / np.abs(sound).max(), STUDY.sample_rate)
        tracks.append((str(number), "genre", path))
    return tracks


def write_by_librosa(path: Path, tracks: list[tuple[str, str, Path]]) -> None:
    """Write the images of a shard by librosa's documented calls."""
    with h5py.File(path, "w") as file:
        images = file.create_dataset(
            "images",
            (len(tracks), *STUDY.shape),
            dtype="u1",
            chunks=(1, *STUDY.shape),
            compression="gzip",
            compression_opts=1,
        )
        for row, (_, _, wav) in enumerate(tracks):
            y, sr = librosa.load(wav, sr=STUDY.sample_rate, mono=True, duration=STUDY.duration)
            mel = librosa.feature.melspectrogram(
                y=y,
                sr=sr,
                n_fft=STUDY.n_fft,
                hop_length=STUDY.hop_length,
                n_mels=STUDY.n_mels,
                fmin=STUDY.f_min,
                fmax=STUDY.f_max,
            )
            level = librosa.power_to_db(mel, ref=np.max)
            scaled = 255 * (level - level.min()) / (level.max() - level.min())
            images[row] = 255 - np.round(np.flipud(scaled)).astype(np.uint8)
        file["track_id"] = [track_id for track_id, _, _ in tracks]
        file["genre"] = [genre for _, genre, _ in tracks]
        file["frames"] = np.full(len(tracks), STUDY.shape[1], np.int32)


def largest_difference(one: Path, other: Path) -> int:
    with open_images(one) as a, open_images(other) as b:
        return int(np.abs(a["images"][:].astype(int) - b["images"][:].astype(int)).max())


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time and the time that a call took."""
    start, processor_start = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.process_time() - processor_start), 1000 * (time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="8 clips, 1 round")
    args = parser.parse_args()
    if args.quick:
        args.clips, args.rounds = 8, 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracks = make_wavs(folder, args.clips)
        ours, theirs = folder / "ours.h5", folder / "librosa.h5"
        ways = {
            "librosa's documented calls": lambda: write_by_librosa(theirs, tracks),
            "`spectrograms.write_shard`": lambda: write_shard(ours, tracks, STUDY),
        }
        write_by_librosa(theirs, tracks[:1])  # imports and plans
        write_shard(ours, tracks[:1], STUDY)
        times = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, work in ways.items():
                times[way].append(milliseconds(work))
        difference = largest_difference(ours, theirs)
    per_clip = {
        way: [statistics.median(kind) / args.clips for kind in zip(*rounds, strict=True)]
        for way, rounds in times.items()
    }
    (slow, _), (fast, _) = per_clip.values()
    load = f"{os.getloadavg()[0]:.1f}"
    print(
        f"From {args.clips} WAVs of {STUDY.duration} s to a shard; {THREADS} thread, "
        f"{args.rounds} rounds, {processor()}, {os.cpu_count()} cores, load {load}\n"
    )
    print("| way | processor time, ms a clip | time, ms a clip |\n|---|---|---|")
    for way, (processor_time, elapsed) in per_clip.items():
        print(f"| {way} | {processor_time:.1f} | {elapsed:.1f} |")
    print(f"\n{slow / fast:.2f} times as fast (target: {TARGET:g});", end=" ")
    print(f"largest difference: {difference} grey levels")
    return 0 if slow / fast >= TARGET and difference <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
