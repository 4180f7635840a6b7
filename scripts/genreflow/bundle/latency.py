"""How long learners take for a clip that they haven't seen: measured, not estimated.

What a prediction consists of is timed part by part, on the code that predicts new audio
(`bundle.prediction`): decoding a file, making the image or the hand-crafted features, the pass of
a network whose outputs are features, the model itself. One clip goes through at a time, the first
of each file, after `WARM_UP` to warm up; a file is decoded whole. What learners share is timed
once. A learner's time for a clip is the sum of its parts' times for this very clip; medians and
percentiles are of these sums.

The throughput is that of all clips at once, from decoded audio, in batches of the networks' size.
Networks in Keras's format are timed on a GPU too, where Keras finds one; the rest runs on the
processor.
"""

import platform
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow.audio.decode import native
from genreflow.audio.resample import resampled
from genreflow.bundle import bundles
from genreflow.bundle.prediction import input_of, load_model, parts_of, set_key, side_by_side
from genreflow.evaluation import markdown
from genreflow.features import spectrograms
from genreflow.features.feature_set import IMAGE, SOURCE, WAV, Sound

WARM_UP = 2
"""Clips that go through before any is timed."""

STUDY = {
    "ffnn/512-256": 0.02070,
    "cnn/simple": 0.064,
    "cnn/tuned": 0.060,
    "vgg16": 0.07321,
    "resnet50": 0.05134,
    "classify/vgg16/block5_pool/pca-0.90/svm-rbf": 0.00269,
    "classify/resnet50/conv5_block1_2_relu/pca-0.90/svm-rbf": 0.00327,
}
"""What the study measured on its processor [s]: of networks from their features or images to the
prediction, of backbones the pass, of classifiers the model alone."""


# Times of a step [s]: of each clip by itself, and last of all clips at once.
_Times = np.ndarray


@dataclass
class _Shared:
    """What learners share: clips, and features by `set_key`, and the times of what makes them."""

    needed: dict[str, Any] = field(default_factory=dict)
    features: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    decoding: dict[str, _Times] = field(default_factory=dict)
    steps: dict[str, _Times] = field(default_factory=dict)


def choose_clips(
    tracks: pd.DataFrame, split: pd.DataFrame, having: Sequence[Collection[str]], *, count: int
) -> list[str]:
    """Choose the audio files to time on: those of tested tracks first.

    Times don't depend on what a network has seen; but users expect clips that are new to it.

    `having` are the tracks that have features, of each matrix: some may be too short for some.
    """
    order = split.assign(seen=split["part"] != "test").sort_values("seen", kind="stable")
    for track_ids in having:
        order = order[order["track_id"].isin(track_ids)]
    chosen = order["track_id"].iloc[:count]
    return tracks.set_index("track_id")["path"][chosen].tolist()


def measure(
    read: Sequence[bundles.BundledModel],
    paths: Sequence[str | Path],
    *,
    images: str | Path,
    threads: int,
    ensembles: Mapping[str, Sequence[str]] | None = None,
    seeds: Mapping[str, int] | None = None,
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Time the prediction of clips by learners.

    Call `features.backend.configure` before.

    Parameters
    ----------
    read
        What `bundle.bundles.model_of` returned for each learner, at least one.
    paths
        Audio files, each with at least one clip.
    images
        Log-mel images of the corpus, whose attributes tell how they are made.
    ensembles, seeds
        The members of each ensemble, and of how many networks an ensemble takes the mean, by
        learner; of others it takes one.
    report
        Called with a line of text on each step.

    Returns
    -------
    pandas.DataFrame
        One row a step: step (decode; features; model, from its input; clip, from decoded audio
        to the prediction; file, from a file), name (of a learner for model, clip and file), device
        (cpu or gpu), median, p95 (95th percentile) and together [s a clip; NaN where a file is
        decoded, which is one at a time], parameters (that were learned; of a classifier those of
        the networks that its features come from), clips (how many were timed), threads, processor.

    Raises
    ------
    GenreflowError
        If a file can't be used.
    """
    shared, rows = _shared(read, paths, images, threads, report)
    own: dict[tuple[str, str], _Times] = {}
    for model in read:
        loaded = load_model(model.file, model)
        x = input_of(model, shared.needed, shared.features)
        count = loaded.parameters if loaded.parameters is not None else _parameters(model)
        for device in loaded.devices:
            place = model.learner, device
            with loaded.on(device):
                _, own[place] = _passed(loaded.predict_proba, x)
            rows.append(_row("model", *place, own[place]) | {"parameters": count})
        report(f"timed {model.learner}")
    by_learner = {model.learner: model for model in read}
    for learner, device in own:
        rows += _sums([by_learner[learner]], learner, device, shared, own, {})
    for learner, members in (ensembles or {}).items():
        if set(members) <= by_learner.keys():
            models = [by_learner[name] for name in members]
            rows += _sums(models, learner, "cpu", shared, own, seeds or {})
    table = pd.DataFrame(rows)
    counts = table[table["step"] == "model"].set_index(["name", "device"])["parameters"]
    table["parameters"] = pd.array(
        [counts.get((row.name, row.device)) for row in table.itertuples(index=False)], dtype="Int64"
    )
    return table.assign(clips=len(paths), threads=threads, processor=processor())


def _shared(
    read: Sequence[bundles.BundledModel],
    paths: Sequence[str | Path],
    images: str | Path,
    threads: int,
    report: Callable[[str], None],
) -> tuple[_Shared, list[dict[str, Any]]]:
    """Time decoding, images, and the features of all sets; return the rows of these, too."""
    shared = _Shared()
    needs = {one for model in read for one in model.needs}
    if needs - {SOURCE}:
        settings = spectrograms.read_settings(images)
        rate, length = settings.sample_rate, settings.max_samples
        decode = partial(resampled, sample_rate=rate)
        wavs, shared.decoding[WAV] = _timed(decode, paths)
        shared.needed[WAV] = [Sound(wav[:length], rate) for wav in wavs]
    if IMAGE in needs:
        log_mel = spectrograms.LogMel(settings)
        made, shared.steps[IMAGE] = _timed(
            lambda wav: log_mel.image(wav.samples)[0], shared.needed[WAV]
        )
        shared.needed[IMAGE] = np.stack(made)
        report("timed the images")
    if SOURCE in needs:
        sounds, shared.decoding[SOURCE] = _timed(native, paths)
        shared.needed[SOURCE] = [Sound(*sound) for sound in sounds]
    names = {IMAGE: IMAGE}
    for key, part in parts_of(read).items():
        one, names[key] = part.feature_set(threads=threads), part.name
        clips = shared.needed[one.needs]
        if part.network:
            shared.features[key], shared.steps[key] = _passed(one.features, clips)
        else:
            made, shared.steps[key] = _timed(lambda clip, one=one: one.features([clip]), clips)
            shared.features[key] = side_by_side(made)
        report(f"timed the features {part.name}")
    decoded = [
        _row("decode", name, "cpu", times, together=False)
        for name, times in shared.decoding.items()
    ]
    steps = [_row("features", names[key], "cpu", times) for key, times in shared.steps.items()]
    return shared, decoded + steps


def _timed(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[list[Any], _Times]:
    """Time a step that has no faster way for many clips at once."""
    found, seconds = [], []
    for item in [*items[:WARM_UP], *items]:
        start = time.perf_counter()
        found.append(work(item))
        seconds.append(time.perf_counter() - start)
    times = np.array(seconds[WARM_UP:])
    return found[WARM_UP:], np.append(times, times.sum())


def _passed(run: Callable[[Any], Any], x: np.ndarray) -> tuple[Any, _Times]:
    """Time a step that takes many clips at once: each alone, then all."""
    _, times = _timed(lambda row: run(x[row : row + 1]), range(len(x)))
    run(x)
    start = time.perf_counter()
    found = run(x)
    times[-1] = time.perf_counter() - start
    return found, times


def _parameters(model: bundles.BundledModel) -> int | None:
    """Add up the parameters of the networks that a classifier's features come from."""
    deepest: dict[str, int] = {}
    for part in model.features:
        count = part.feature_set().parameters(part.output)
        if count is None:
            return None
        key = set_key(part)
        deepest[key] = max(count, deepest.get(key, 0))
    return sum(deepest.values())


def _sums(
    members: Sequence[bundles.BundledModel],
    learner: str,
    device: str,
    shared: _Shared,
    own: Mapping[tuple[str, str], _Times],
    seeds: Mapping[str, int],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a learner from a decoded clip, and from a file."""
    needs = {one for model in members for one in model.needs}
    decoded = sorted({WAV if one == IMAGE else one for one in needs})
    steps = [shared.steps[key] for key in [*({IMAGE} & needs), *parts_of(members)]]
    for model in members:
        steps += [own[model.learner, device]] * seeds.get(model.learner, 1)
    yield _row("clip", learner, device, sum(steps))
    whole = sum(shared.decoding[name] for name in decoded) + sum(steps)
    yield _row("file", learner, device, whole, together=False)


def _row(step: str, name: str, device: str, times: _Times, *, together: bool = True) -> dict:
    *alone, all_at_once = times
    return {
        "step": step,
        "name": name,
        "device": device,
        "median": float(np.median(alone)),
        "p95": float(np.percentile(alone, 95)),
        "together": all_at_once / len(alone) if together else np.nan,
    }


def processor(cpuinfo: str | Path = "/proc/cpuinfo") -> str:
    """Return what the processor calls itself; "unknown" where nothing tells."""
    try:
        lines = Path(cpuinfo).read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def to_markdown(
    table: pd.DataFrame, *, note: str = "", titles: Mapping[str, str] | None = None
) -> str:
    """Write what `measure` returned for reading.

    A table of the steps that learners share and one of learners, by their titles; the note, if any,
    is put below.
    """
    first = table.iloc[0]
    table = table.assign(
        study=table["name"].map(STUDY).where(table["step"].isin(["features", "model"])),
        name=[(titles or {}).get(name, name) for name in table["name"]],
    )
    blocks = [
        f"One clip at a time on {first['processor']}, {markdown.many(first['threads'], 'thread')}: "
        f"median (95th percentile) of {first['clips']} clips, after {WARM_UP} to warm up. "
        "Together: all of them at once. The study's times are of its own machine, from features or "
        "images to the prediction, or to the features of a backbone.",
        "## Steps",
        markdown.table(_shown(table[table["step"].isin(["decode", "features"])]), _STEPS),
        "## Learners",
        markdown.table(_by_learner(table), _LEARNERS),
    ]
    blocks += [f"*{markdown.escape(note)}*"] if note else []
    return "\n\n".join(blocks) + "\n"


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Write the times of rows."""
    write = markdown.milliseconds
    times = [f"{write(row.median)} ({write(row.p95)})" for row in rows.itertuples(index=False)]
    rate = (1 / rows["together"]).astype("Float64")
    return rows.assign(time=times, rate=rate)


def _by_learner(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a learner and device, with the times of the model, a clip and a file."""
    keys = ["name", "device"]
    steps = {step: _shown(table[table["step"] == step]).set_index(keys) for step in _OF_LEARNERS}
    rows = steps["clip"].drop(columns="study")
    for step in _OF_LEARNERS:
        rows[step] = steps[step]["time"]
    return rows.assign(study=steps["model"]["study"]).reset_index()


_OF_LEARNERS = ("model", "clip", "file")
_COMMON = {
    "rate": ("Together, clips per second", lambda value: f"{value:,.0f}"),
    "study": ("Study, ms", markdown.milliseconds),
}
_STEPS: markdown.Columns = {
    "step": ("Step", str),
    "name": ("Of", markdown.escape),
    "device": ("On", str),
    "time": ("Per clip, ms", str),
    **_COMMON,
}
_LEARNERS: markdown.Columns = {
    "name": ("Learner", markdown.escape),
    "device": ("On", str),
    "model": ("The model, ms", str),
    "clip": ("From a decoded clip, ms", str),
    "file": ("From a file, ms", str),
    **_COMMON,
    "parameters": ("Parameters", "{:,}".format),
}
