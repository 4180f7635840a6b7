"""Running a backbone: by Keras, or by OpenVINO in float32 or bfloat16.

A network is prepared once and then run in many jobs: preparing needs Keras and takes a choice
that all jobs share; running by OpenVINO needs neither Keras nor its start.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import TypeAdapter

from genreflow.errors import GenreflowError, in_a_line
from genreflow.runtime.files import atomic, write_json
from genreflow.runtime.logs import DISK

# OpenVINO reports each conversion over the network unless this package is missing.
sys.modules["openvino_telemetry"] = None
try:
    import openvino
except ImportError:
    openvino = None

if TYPE_CHECKING:
    from genreflow.features.image_networks import Backbone

BATCH_SIZE = 8
"""Images a batch. Twice as fast as one by one in bfloat16; more gain nothing."""

AGREEMENT = 0.999
"""The least `agreement` with Keras's features, of each cut of each track: noise of some 4 % of what
tells tracks from each other."""

CONSTANT = 1e-3
"""A feature whose spread is less than this share of its values is constant: float16 hides it."""

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's names of the precisions."""

MAX_BYTES = 2**20
"""Of network.json."""

_NAMES = {"openvino": "network.xml", "keras": "network.keras"}

Batch = list[np.ndarray]
"""The features of a batch, one array a cut: float32 (images, size)."""

Run = Callable[[np.ndarray], Batch]
"""From uint8 (images, n_mels, n_frames), at most `BATCH_SIZE`, to features."""


@dataclass(frozen=True)
class Prepared:
    """What is known of a network that was prepared."""

    engine: Literal["openvino", "keras"]
    precision: Literal["bfloat16", "float32"]
    cuts: dict[str, dict[str, int]]  # size and parameters of each, in the order of the outputs
    image_shape: tuple[int, int]  # (n_mels, n_frames)
    agreement: dict[str, float]  # the least with Keras's features that was found for each cut
    settings: dict[str, Any] = field(default_factory=dict)  # what else the caller wants to keep
    any_batch: bool = False  # whether features are the same, bit by bit, in batches of any size
    why: str = ""  # why Keras runs it though OpenVINO might have


def precisions() -> list[str]:
    """Return the precisions in which OpenVINO runs on this processor, the fastest first.

    The list is empty if OpenVINO isn't installed.
    """
    if openvino is None:
        return []
    capable = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ["bfloat16", "float32"] if "BF16" in capable else ["float32"]


def prepare(
    folder: str | Path,
    backbone: "Backbone",
    images: np.ndarray,
    *,
    engine: str,
    threads: int,
    settings: dict[str, Any],
) -> Prepared:
    """Choose what runs a network and write it down for `load`; say what each engine tried gives.

    OpenVINO is tried in the precisions of the processor, the fastest first, and taken if the
    `agreement` of its features of some images with Keras's is above `AGREEMENT`. ``network.json``
    is written last.

    Parameters
    ----------
    images : uint8, shape (n, n_mels, n_frames)
        What the engines are compared on; a few are enough, at most `BATCH_SIZE` are used.
    engine
        openvino, keras, or auto: OpenVINO where it agrees with Keras, else Keras.
    threads
        Of OpenVINO; Keras's are set by `features.backend.configure`.
    settings
        Kept with the network.

    Raises
    ------
    GenreflowError
        If OpenVINO is asked for and isn't installed, or doesn't agree with Keras.
    """
    folder, images = Path(folder), images[:BATCH_SIZE]
    whole = backbone.on_images(images.shape[1:])
    expected = by_keras(whole)(images)
    converted, why = None, ""
    if engine != "keras":
        converted, why = _converted(whole, list(backbone.cuts))
    precision, run, found = _first_to_agree(
        converted, images, expected, list(backbone.cuts), threads
    )
    if converted and not precision:
        why = f"it agrees with Keras less than the {AGREEMENT} that are asked for"
    if precision:
        _save_openvino(converted, folder / _NAMES["openvino"])
    elif engine == "openvino":
        raise GenreflowError(
            f"OpenVINO can't take the place of Keras ({why}). Set transfer.engine to keras or auto"
        )
    else:
        run = by_keras(whole, padded=False)
        with atomic(folder / _NAMES["keras"]) as part:
            whole.save(part)
    prepared = Prepared(
        engine="openvino" if precision else "keras",
        precision=precision or "float32",
        cuts=backbone.cuts,
        image_shape=images.shape[1:],
        agreement=found,
        settings=settings,
        any_batch=_depends_on_no_other(run, images),
        why=why,
    )
    write_json(asdict(prepared), folder / "network.json")
    return prepared


def _converted(whole: Any, cuts: list[str]) -> "tuple[openvino.Model | None, str]":
    """Convert a Keras model to OpenVINO if that can be; else say why not."""
    if openvino is None:
        return None, "not installed"
    try:
        return convert(whole, cuts), ""
    except Exception as error:  # its own kinds, for operations that it doesn't know
        if any(words in str(error) for words in DISK):
            raise  # it is no fault of the network's
        why = f"it can't convert the network: {in_a_line(error)}"
        print(f"OpenVINO: {why}")
        return None, why


def _first_to_agree(
    converted: "openvino.Model | None",
    images: np.ndarray,
    expected: Batch,
    cuts: Sequence[str],
    threads: int,
) -> tuple[str | None, Run | None, dict[str, float]]:
    """Return the fastest precision in which OpenVINO agrees, what runs it, how far cuts agree."""
    for precision in precisions() if converted else []:
        run = by_openvino(converted, precision=precision, threads=threads, padded=False)
        pairs = zip(cuts, run(images), expected, strict=True)
        found = {cut: agreement(*pair) for cut, *pair in pairs}
        print(
            f"OpenVINO in {precision}: agreement with Keras, which is to be above {AGREEMENT}: "
            + ", ".join(f"{cut} {value:.7f}" for cut, value in found.items())
        )
        if min(found.values()) > AGREEMENT:
            return precision, run, found
    return None, None, dict.fromkeys(cuts, 1.0)


def _depends_on_no_other(run: Run, images: np.ndarray) -> bool:
    """Tell whether images get the same features, bit by bit, in smaller batches.

    What is nearly the same may be stored as the next number of float16, which is far away.
    """
    expected = run(images)
    return all(
        np.array_equal(features, whole[:number])
        for number in (1, 3)  # few, for a large network takes its time
        for features, whole in zip(run(images[:number]), expected, strict=True)
    )


def describe(folder: str | Path) -> Prepared:
    """Read what is known of a network that was prepared.

    Raises
    ------
    GenreflowError
        If it isn't there or isn't whole.
    """
    path = Path(folder) / "network.json"
    try:
        with path.open("rb") as file:
            return TypeAdapter(Prepared).validate_json(file.read(MAX_BYTES), strict=True)
    except (OSError, ValueError) as error:
        raise GenreflowError(
            f"{path}: no whole network was prepared there ({error}); delete {folder} and run "
            "again: it is made anew"
        ) from None


def load(folder: str | Path, *, threads: int, padded: bool = True) -> Run:
    """Load a network that was prepared.

    Parameters
    ----------
    padded
        Whether batches are filled up to `BATCH_SIZE`, so that a track's features are the same, bit
        by bit, whatever is beside it. If not, they still are where they would differ
        (`Prepared.any_batch`); elsewhere a single image takes an eighth of the time.

    Raises
    ------
    GenreflowError
        If it isn't there or isn't whole.
    """
    prepared = describe(folder)
    path = Path(folder) / _NAMES[prepared.engine]
    padded = padded or not prepared.any_batch
    if prepared.engine == "openvino" and openvino is None:
        raise GenreflowError(
            f"{folder} was prepared for OpenVINO, which isn't installed: install it, or delete "
            f"{folder} and run again"
        )
    try:
        if prepared.engine == "keras":
            from genreflow.features import backend

            return by_keras(backend.load_model(path), padded=padded)
        _require_ir(path)
        model = openvino.Core().read_model(path)
        return by_openvino(model, precision=prepared.precision, threads=threads, padded=padded)
    except (GenreflowError, OSError, ValueError, RuntimeError) as error:
        raise GenreflowError(
            f"{path}: not a whole network ({error}); delete {folder} and run again: it is made anew"
        ) from None


def _require_ir(path: Path) -> None:
    """Refuse what isn't OpenVINO's own format: it takes ONNX and others under any name."""
    with path.open("rb") as file:
        if not file.read(9).startswith(b"<?xml ver"):
            raise GenreflowError("it is not in OpenVINO's format")


def by_keras(whole: Any, *, padded: bool = True) -> Run:
    """Return what runs a model of `Backbone.on_images` by Keras; padded is as for `load`."""
    import keras

    def run(images: np.ndarray) -> Batch:
        found = keras.tree.flatten(whole.predict_on_batch(_padded(images) if padded else images))
        return [np.asarray(features)[: len(images)] for features in found]

    return run


def convert(whole: Any, cuts: list[str]) -> "openvino.Model":
    """Convert a Keras model, as `Backbone.on_images` returns it, to OpenVINO.

    It goes by a SavedModel on the disk: from a model in memory OpenVINO can't on Python 3.13.
    """
    import keras
    import tensorflow as tf

    image = whole.inputs[0]
    exported = keras.export.ExportArchive()
    exported.add_variable_collection("weights", whole.variables)
    exported.add_endpoint(
        "serve",
        lambda images: dict(zip(cuts, tf.nest.flatten(whole(images, training=False)), strict=True)),
        input_signature=[tf.TensorSpec(image.shape, tf.uint8, name="images")],
    )
    with tempfile.TemporaryDirectory(prefix="genreflow-") as folder:
        exported.write_out(folder, verbose=False)
        model = openvino.convert_model(folder)
    outputs = [model.output(cut) for cut in cuts]
    return openvino.Model(outputs, model.get_parameters(), "backbone")


def _save_openvino(model: "openvino.Model", path: Path) -> None:
    with atomic(path) as part, atomic(path.with_suffix(".bin")) as weights:
        openvino.serialize(model, part, weights)


def by_openvino(
    model: "openvino.Model", *, precision: str, threads: int, padded: bool = True
) -> Run:
    """Return what runs a model by OpenVINO, as `convert` returns it; padded is as for `load`.

    The precision is ``float32`` or ``bfloat16``; a processor without bfloat16 computes in float32.
    """
    sized, number = model.clone(), openvino.Dimension(1, BATCH_SIZE)
    sized.reshape(openvino.PartialShape([number, *sized.input().partial_shape[1:]]))
    request = compiled(sized, precision=precision, threads=threads)

    def run(images: np.ndarray) -> Batch:
        batch = _padded(images) if padded else np.ascontiguousarray(images)
        request.infer([batch], share_inputs=True)
        # Copied: the next batch overwrites the tensors.
        return [tensor.data[: len(images)].copy() for tensor in request.output_tensors]

    return run


def compiled(model: "openvino.Model", *, precision: str, threads: int) -> "openvino.InferRequest":
    """Make a model ready to run by OpenVINO; arguments are those of `by_openvino`."""
    options = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # Jobs that run side by side would all be pinned to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.Core().compile_model(model, "CPU", options).create_infer_request()


def _padded(images: np.ndarray) -> np.ndarray:
    """Fill up a batch, so that a track's features don't depend on how many are beside it."""
    missing = BATCH_SIZE - len(images)
    return np.ascontiguousarray(np.pad(images, ((0, missing), (0, 0), (0, 0))))


def agreement(features: np.ndarray, expected: np.ndarray) -> float:
    """Return how far features of the same tracks agree, 1 if they are the same.

    It is the least cosine similarity of a track, of features that are standardised, as classifiers
    see them: where all tracks have nearly the same features, nearly parallel ones may still differ
    by much of what tells one track from another. Where nothing does, it is that of the features as
    they are.

    Parameters
    ----------
    features, expected : float, shape (tracks, size)
        Mean and spread of each feature are those of `expected`; one that is constant counts for
        nothing. Tracks where both have no value but 0 count as the same.
    """
    # Networks that were never trained give values whose squares vanish in float32.
    features, expected = features.astype(np.float64), expected.astype(np.float64)
    spread = expected.std(axis=0)
    varies = spread > CONSTANT * np.abs(expected).max(axis=0)
    if not varies.any():
        return cosine(features, expected)
    mean = expected.mean(axis=0)
    return cosine(*(((x - mean) / np.where(varies, spread, np.inf)) for x in (features, expected)))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the least cosine similarity of a row: float64, shape (rows, size)."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    products = np.einsum("ij,ij->i", one, other)
    empty = ~(one.any(axis=1) | other.any(axis=1))
    cosines = np.divide(products, lengths, out=empty.astype(float), where=lengths > 0)
    return float(np.nan_to_num(cosines, nan=0.0).min(initial=1.0))
