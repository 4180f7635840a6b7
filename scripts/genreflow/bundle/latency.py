"""How long learners take for a clip that they haven't seen: measured, not estimated.

What a prediction consists of is timed part by part, on the code that predicts new audio
(`bundle.predict`): decoding a file, making the image or the hand-crafted features, the pass of
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow.audio.decode import native
from genreflow.audio.resample import resampled
from genreflow.bundle import bundles, predict
from genreflow.errors import GenreflowError
from genreflow.evaluation import markdown
from genreflow.features import engines, handcrafted, spectrograms
from genreflow.learners.predictions import marked

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


@dataclass(frozen=True)
class _Part:
    """Times of one step: a clip at a time, and all clips at once [s]."""

    one_by_one: np.ndarray
    together: float

    def __add__(self, other: "_Part") -> "_Part":
        return _Part(self.one_by_one + other.one_by_one, self.together + other.together)


@dataclass
class _Parts:
    """All that was timed and is shared by learners, and what came out of it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    decoding: dict[str, _Part] = field(default_factory=dict)
    features: dict[str, _Part] = field(default_factory=dict)
    cuts: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    images: np.ndarray | None = None
    handcrafted: dict[str, np.ndarray] = field(default_factory=dict)

    def clips(self) -> predict.Clips:
        nothing = np.empty(0)
        return predict.Clips(nothing, nothing, self.images, self.handcrafted)


def measure(
    runs: Sequence[bundles.Run],
    paths: Sequence[str | Path],
    *,
    images: str | Path,
    threads: int,
    ensembles: Mapping[str, Sequence[str]] | None = None,
    seeds: int = 1,
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Time the prediction of clips by learners.

    Call `features.backend.configure` before.

    Parameters
    ----------
    runs
        One of each learner. Left out are those on features that can't be made from new audio (a
        published table, a network in ONNX).
    paths
        Audio files, each with at least one clip.
    images
        Log-mel images of the corpus, whose attributes tell how they are made.
    threads
        Processor threads to use.
    ensembles
        The members of each ensemble, by their names.
    seeds
        How many networks of a kind an ensemble takes the mean of.
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
        If there is nothing to time, or a file can't be used.
    """
    models = list(_models(runs, report))
    if not models:
        raise GenreflowError(
            "no learner's features can be made from new audio, so that there is nothing to time: "
            "set inference.clips to 0"
        )
    parts = _shared(models, paths, images, threads, report)
    own: dict[tuple[str, str], _Part] = {}
    for model in models:
        for device in _devices(model):
            own[model.learner, device], count = _model(model, parts, device)
            parts.rows.append(_row("model", model.learner, device, own[model.learner, device]))
            parts.rows[-1]["parameters"] = count
        report(f"timed {model.learner}")
    by_learner = {model.learner: model for model in models}
    single = [([by_learner[learner]], learner, device) for learner, device in own]
    combined = [
        ([by_learner[name] for name in members], learner, "cpu")
        for learner, members in (ensembles or {}).items()
        if set(members) <= by_learner.keys()
    ]
    for members, learner, device in single + combined:
        times = seeds if len(members) > 1 else 1
        parts.rows += _sums(members, learner, device, parts, own, times)
    table = pd.DataFrame(parts.rows)
    counts = table[table["step"] == "model"].set_index(["name", "device"])["parameters"]
    table["parameters"] = pd.array(
        [counts.get((row.name, row.device)) for row in table.itertuples(index=False)], dtype="Int64"
    )
    return table.assign(clips=len(paths), threads=threads, processor=processor())


def _models(runs: Sequence[bundles.Run], report: Callable[[str], None]) -> Iterator[bundles.Model]:
    for run in runs:
        try:
            sources = tuple(bundles.source_of(features) for features in run.features)
        except GenreflowError as error:
            report(f"{run.learner} isn't timed: {error}")
            continue
        yield bundles.Model(
            run.learner, bundles.model_file(run), sources, run.crop_frames, run.crops
        )


def _shared(
    models: Sequence[bundles.Model],
    paths: Sequence[str | Path],
    images: str | Path,
    threads: int,
    report: Callable[[str], None],
) -> _Parts:
    """Time decoding, images, hand-crafted features and the passes of networks."""
    parts = _Parts()
    sources = [source.settings for model in models for source in model.features]
    networks = list(dict.fromkeys(s["folder"] for s in sources if "folder" in s))
    crafted = {predict.key_of(s): s for s in sources if "folder" not in s}
    if networks or not all(model.features for model in models):
        log_mel = spectrograms.LogMel(spectrograms.Settings(**bundles.image_settings(images)))
        rate = log_mel.settings.sample_rate
        wavs, parts.decoding["images"] = _timed(partial(resampled, sample_rate=rate), paths)
        length = round(rate * log_mel.settings.duration)
        made, parts.features["images"] = _timed(lambda wav: log_mel.image(wav[:length])[0], wavs)
        parts.images = np.stack(made)
        report("timed the images")
    for key, known in crafted.items():
        sounds, parts.decoding["handcrafted"] = _timed(native, paths)
        clips = [(wav[: round(rate * known["duration"])], rate) for wav, rate in sounds]
        settings = {name: known[name] for name in ("features", "rates")}
        extract = partial(handcrafted.extract, **settings)
        made, parts.features["handcrafted"] = _timed(partial(_starred, extract), clips)
        parts.handcrafted[key] = np.array(made, dtype=np.float32)
        report("timed the hand-crafted features")
    for folder in networks:
        run = predict.load_network(Path(folder), threads=threads)
        parts.cuts[folder], parts.features[folder] = _passed(run, parts.images)
        report(f"timed the network of {Path(folder).parent.name}")
    parts.rows += [
        _row("decode", name, "cpu", part, together=False) for name, part in parts.decoding.items()
    ]
    parts.rows += [
        _row("features", Path(name).parent.name if name in networks else name, "cpu", part)
        for name, part in parts.features.items()
    ]
    return parts


def _starred(work: Callable[..., Any], arguments: tuple) -> Any:
    return work(*arguments)


def _timed(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[list[Any], _Part]:
    """Time a step that has no faster way for many clips at once."""
    found, seconds = [], []
    for item in [*items[:WARM_UP], *items]:
        start = time.perf_counter()
        found.append(work(item))
        seconds.append(time.perf_counter() - start)
    times = np.array(seconds[WARM_UP:])
    return found[WARM_UP:], _Part(times, float(times.sum()))


def _passed(run: Callable[[Any], Any], x: np.ndarray) -> tuple[Any, _Part]:
    """Time a step that takes many clips at once: each alone, then all."""
    _, alone = _timed(lambda row: run(x[row : row + 1]), range(len(x)))
    run(x)
    start = time.perf_counter()
    found = run(x)
    return found, _Part(alone.one_by_one, time.perf_counter() - start)


def _devices(model: bundles.Model) -> list[str]:
    """Return where a model can be run."""
    if not model.file.endswith(".keras"):
        return ["cpu"]
    import keras

    return ["cpu", "gpu"] if keras.distribution.list_devices("gpu") else ["cpu"]


def _on(model: bundles.Model, device: str) -> AbstractContextManager[Any]:
    if not model.file.endswith(".keras"):
        return nullcontext()
    import keras

    return keras.device(f"{device}:0")


def _model(model: bundles.Model, parts: _Parts, device: str) -> tuple[_Part, int | None]:
    """Time a model from its input to the probabilities; return its number of parameters too."""
    with _on(model, device):
        loaded = predict.load_model(Path(model.file))
        x = predict.input_of(model, parts.clips(), parts.cuts)
        run = partial(predict.probabilities_of, loaded, model=model)
        _, part = _passed(lambda rows: run(x=rows), x)
    if model.file.endswith(".keras"):
        return part, _parameters_of(loaded)
    return part, _parameters_of_networks(model)


def _parameters_of(network: Any) -> int:
    """Count what a network has learned; the moving averages of batch normalisation aren't."""
    learned = [one for one in network.weights if not one.name.startswith("moving_")]
    return sum(int(np.prod(one.shape)) for one in learned)


def _parameters_of_networks(model: bundles.Model) -> int | None:
    """Add up the parameters of the networks that a classifier's features come from."""
    deepest: dict[str, int] = {}
    for source in model.features:
        if source.kind != "network":
            return None
        folder, cut = source.settings["folder"], source.settings["cut"]
        count = engines.describe(folder).cuts[cut]["parameters"]
        deepest[folder] = max(count, deepest.get(folder, 0))
    return sum(deepest.values())


def _sums(
    members: Sequence[bundles.Model],
    learner: str,
    device: str,
    parts: _Parts,
    own: Mapping[tuple[str, str], _Part],
    seeds: int,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a learner from a decoded clip, and from a file."""
    needed = {name for model in members for name in _needs(model)}
    decoding = sum((parts.decoding[name] for name in sorted(needed & parts.decoding.keys())), _ZERO)
    clip = sum((parts.features[name] for name in sorted(needed)), _ZERO)
    for model in members:
        times = seeds if model.file.endswith(".keras") else 1
        clip = sum([own[model.learner, device]] * times, clip)
    yield _row("clip", learner, device, clip)
    yield _row("file", learner, device, decoding + clip, together=False)


def _needs(model: bundles.Model) -> Iterator[str]:
    """Yield the steps before a model."""
    if not model.features:
        yield "images"
    for source in model.features:
        if source.kind == "network":
            yield from ("images", source.settings["folder"])
        else:
            yield "handcrafted"


_ZERO = _Part(np.zeros(1), 0.0)


def _row(
    step: str, name: str, device: str, part: _Part, *, together: bool = True
) -> dict[str, Any]:
    return {
        "step": step,
        "name": name,
        "device": device,
        "median": float(np.median(part.one_by_one)),
        "p95": float(np.percentile(part.one_by_one, 95)),
        "together": part.together / len(part.one_by_one) if together else np.nan,
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
    table: pd.DataFrame, *, note: str = "", marks: Mapping[str, str] | None = None
) -> str:
    """Write what `measure` returned for reading.

    Parameters
    ----------
    table
        What `measure` returned.
    note
        A line put below, or "".
    marks
        As for `learners.predictions.marked`, which the learners' names go through.

    Returns
    -------
    str
        Markdown: a table of the steps that learners share and one of learners, ending with a line
        break.
    """
    first = table.iloc[0]
    table = table.assign(
        study=table["name"].map(STUDY).where(table["step"].isin(["features", "model"])),
        name=[marked(name, marks) for name in table["name"]],
    )
    blocks = [
        f"One clip at a time on {first['processor']}, {_many(first['threads'], 'thread')}: median "
        f"(95th percentile) of {first['clips']} clips, after {WARM_UP} to warm up. Together: all "
        "of them at once. The study's times are of its own machine, from features or images to "
        "the prediction, or to the features of a backbone.",
        "## Steps",
        markdown.table(_shown(table[table["step"].isin(["decode", "features"])]), _STEPS),
        "## Learners",
        markdown.table(_by_learner(table), _LEARNERS),
    ]
    blocks += [f"*{markdown.escape(note)}*"] if note else []
    return "\n\n".join(blocks) + "\n"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Write the times of rows."""
    times = [f"{_ms(row.median)} ({_ms(row.p95)})" for row in rows.itertuples(index=False)]
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
    "rate": ("Together, clips a second", lambda value: f"{value:,.0f}"),
    "study": ("Study, ms", _ms),
}
_STEPS: markdown.Columns = {
    "step": ("Step", str),
    "name": ("Of", markdown.escape),
    "device": ("On", str),
    "time": ("A clip, ms", str),
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
