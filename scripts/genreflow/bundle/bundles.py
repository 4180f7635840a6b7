"""Packs: what a trained learner needs to predict, in one folder that can be given to others.

``pack.json`` holds plain data: the learner's name and genres, the settings of its audio, images or
features, the versions of the packages, and the SHA-256 of every member. The members are models
(``.keras``, ``.skops``) and the prepared networks whose outputs are features. ``README.md`` is the
model card, for people.

Hashes find what was damaged on its way. They don't say who made a pack; that one from a stranger
runs no code when it is loaded is up to how its members are loaded (`bundle.predict`).
"""

import hashlib
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import genreflow
from genreflow.bundle.description import (
    FORMAT,
    Audit,
    Description,
    Model,
    Source,
    needs_images,
    parse,
)
from genreflow.errors import GenreflowError, NotPossible
from genreflow.layout import COMBINER, MODELS, Layout
from genreflow.runtime import outcomes
from genreflow.runtime.files import write_json, write_text

PACKAGES = (
    "genreflow",
    "h5py",
    "imageio-ffmpeg",
    "keras",
    "librosa",
    "numpy",
    "openvino",
    "scikit-learn",
    "scipy",
    "skops",
    "soundfile",
    "soxr",
    "tensorflow",
)
"""Whose versions a pack names: those that numbers depend on."""

_DESCRIPTION, _CARD = "pack.json", "README.md"


@dataclass(frozen=True, kw_only=True)
class Pack(Description):
    """What `read` knows of a pack.

    Attributes
    ----------
    folder
        Where it is.
    """

    folder: Path

    @property
    def uses_keras(self) -> bool:
        """Whether Keras is needed, which then is to be configured before a model is loaded."""
        engines = [source.settings.get("engine") for m in self.models for source in m.features]
        return "keras" in engines or any(model.file.endswith(".keras") for model in self.models)

    def other_versions(self) -> list[str]:
        """Return the packages that have another version here, each as a text."""
        return [
            f"{name} {_version(name) or 'missing'} (the pack was made with {version})"
            for name, version in self.versions.items()
            if _version(name) != version
        ]


@dataclass(frozen=True)
class Features:
    """Where the features of a finished run came from.

    Attributes
    ----------
    matrix
        The feature matrix, ``features/NAME.h5``, whose attributes tell how it was made.
    network
        The folder of the prepared network; None for hand-crafted features.
    """

    matrix: str | Path
    network: str | Path | None = None


@dataclass(frozen=True)
class Run:
    """A finished run of one learner.

    Attributes
    ----------
    folder
        With ``model.keras`` or ``model.skops``.
    learner
        Its name.
    features
        What it was trained on, in the order of the columns (of joined features each one that
        was joined); empty for a CNN.
    crop_frames, crops
        Of the variant of a CNN.
    """

    folder: str | Path
    learner: str
    features: Sequence[Features] = field(default=())
    crop_frames: int = 0
    crops: int = 1


def runs_of(
    predictions: str | Path,
    *,
    folder: str | Path,
    joined: Mapping[str, Sequence[str]] | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    members: Sequence[str | Path] = (),
) -> list[Run]:
    """Tell by the place of a predictions.csv what `export` packs of its learner.

    Parameters
    ----------
    predictions
        ``FOLDER/SPLIT/LEARNER/[seed-N/]predictions.csv``, as `choose` returns it.
    folder
        The results of the corpus.
    joined
        For each name of joined features, the names of those that were joined.
    variants
        For each variant of the CNN, its crop_frames and crops.
    members
        For an ensemble, the predictions.csv of its members with all their seeds.

    Raises
    ------
    GenreflowError
        If a path isn't of this form.
    """
    known = (Layout(folder), joined or {}, variants or {})
    return [_run_of(path, *known) for path in members or [predictions]]


def _run_of(
    path: str | Path,
    layout: Layout,
    joined: Mapping[str, Sequence[str]],
    variants: Mapping[str, Mapping[str, Any]],
) -> Run:
    fitted = layout.parse(path)
    stage, *rest = fitted.learner.split("/")
    if stage == "cnn":
        searched = _winner(Path(layout.winner(fitted.split, fitted.learner)))
        settings = {**variants.get(rest[0], {}), **searched}
        crop = {key: settings[key] for key in ("crop_frames", "crops") if key in settings}
        return Run(Path(fitted.folder), fitted.learner, **crop)
    matrix = "handcrafted" if stage == "ffnn" else "/".join(rest[:-2])
    names = joined.get(matrix.removeprefix("joined/"), []) if rest[0] == "joined" else [matrix]
    features = [
        Features(
            Path(layout.features(name)),
            None if name == "handcrafted" else Path(layout.network(name.split("/")[0])),
        )
        for name in names
    ]
    return Run(Path(fitted.folder), fitted.learner, features)


def _winner(path: Path) -> dict[str, Any]:
    """Return the settings that a search found, if there was one."""
    import yaml

    outcomes.require(path)
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def export(
    folder: str | Path,
    runs: Sequence[Run],
    *,
    predictions: str | Path,
    learner: str,
    split: str,
    seed: int | None = None,
    images: str | Path | None = None,
    combiner: str | Path | None = None,
    audit: Mapping[str, float],
    corpus: str,
    note: str = "",
    marks: Mapping[str, str] | None = None,
    tracks: str | Path | None = None,
) -> Pack:
    """Pack a trained learner.

    Parameters
    ----------
    folder
        Where the pack shall be. A pack that is there is replaced.
    runs
        The run of the learner; all members, with all their seeds, for an ensemble.
    predictions
        The learner's predictions.csv, which tells the genres and how well it does.
    learner, split, seed
        What is packed, for people.
    images
        Log-mel images of the corpus, whose attributes tell how they are made; needed unless all
        features are hand-crafted.
    combiner
        The file of `learners.ensembles.save`, for an ensemble.
    audit
        As for `Audit`.
    corpus
        Name of the corpus.
    note
        What must stand by every number of this corpus.
    marks
        As for `learners.predictions.marked`.
    tracks
        The corpus's manifest, whose licences the model card counts.

    Raises
    ------
    GenreflowError
        If a file is missing or damaged, features can't be made from audio (a published table, a
        network in ONNX), or `folder` holds something else than a pack.
    """
    from genreflow.bundle import card as model_card
    from genreflow.learners.predictions import genres_of, read_predictions

    table = read_predictions(predictions)
    folder = Path(folder)
    with _replaced(folder) as part:
        models = [_add_model(part, number, run) for number, run in enumerate(runs, start=1)]
        settings = image_settings(images) if any(map(needs_images, models)) else None
        if combiner is not None:
            _copy(Path(combiner), part / COMBINER)
        pack = Pack(
            folder=folder,
            format=FORMAT,
            learner=learner,
            split=split,
            seed=seed,
            genres=tuple(genres_of(table)),
            clip=settings["duration"] if settings else _longest_features(models),
            audit=Audit(**audit),
            images=settings,
            models=tuple(models),
            combiner=None if combiner is None else COMBINER,
            versions={name: _version(name) for name in PACKAGES},
            members={path: sha256(part / path) for path in sorted(_files(part))},
        )
        described = asdict(pack)
        del described["folder"]
        write_json(described, part / _DESCRIPTION)
        parse(part / _DESCRIPTION)
        card = model_card.write(pack, table, corpus=corpus, note=note, marks=marks, tracks=tracks)
        write_text(part / _CARD, card)
    return pack


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give a new folder, which takes the place of `folder` when the block ends without an error."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _DESCRIPTION).exists():
        raise GenreflowError(
            f"{folder} holds something else than a pack: name another folder, or empty it"
        )
    part = folder.with_name(f".part-{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def model_file(run: Run) -> str:
    """Return the path of a run's model.

    Raises
    ------
    GenreflowError
        If there is none.
    NotPossible
        If it couldn't be made of its data.
    """
    found = [path for name in MODELS if (path := Path(run.folder) / name).exists()]
    if not found:
        raise GenreflowError(
            f"{run.folder} has no {' or '.join(MODELS)}: run the workflow until it is trained"
        )
    outcomes.require(found[0])
    return str(found[0])


def _add_model(part: Path, number: int, run: Run) -> Model:
    path = Path(model_file(run))
    file = f"models/{number}/{path.name}"
    _copy(path, part / file)
    sources = tuple(_add_source(part, features) for features in run.features)
    return Model(run.learner, file, sources, run.crop_frames, run.crops)


def source_of(features: Features) -> Source:
    """Describe features by the attributes of their matrix.

    Returns
    -------
    Source
        Its folder, for a network, is where the network lies now.

    Raises
    ------
    GenreflowError
        If new audio can't be turned into these features, or the matrix isn't whole.
    """
    attributes = _attributes(features.matrix)
    if features.network is None:
        if "rates" not in attributes:
            raise GenreflowError(
                f"{features.matrix} was not computed from audio but taken from a table, so that "
                "new audio can't be predicted: set handcrafted.source to audio, or export a "
                "learner on other features"
            )
        keys = ("features", "rates", "duration")
        return Source("handcrafted", {key: attributes[key] for key in keys})
    if attributes.get("engine") not in ("openvino", "keras"):
        raise GenreflowError(
            f"{features.matrix} is of a network in ONNX, which can't be packed: export a learner "
            "on other features"
        )
    return Source(
        "network",
        {
            "folder": str(features.network),
            "cut": attributes["cut"],
            "dtype": attributes["dtype"],
            "engine": attributes["engine"],
        },
    )


def _add_source(part: Path, features: Features) -> Source:
    """Describe features, and copy the network they need."""
    source = source_of(features)
    if source.kind == "network":
        folder = _add_network(part, Path(features.network))
        return Source(source.kind, {**source.settings, "folder": folder})
    return source


def _attributes(matrix: str | Path) -> dict[str, Any]:
    """Return the attributes of a feature matrix as plain values, without reading the matrix."""
    import h5py

    try:
        with h5py.File(matrix, "r") as file:
            found = dict(file.attrs)
    except OSError as error:
        raise GenreflowError(
            f"{matrix}: not a whole HDF5 file ({error}); delete it and run again: it is made anew"
        ) from None
    return {
        key: value.tolist() if hasattr(value, "tolist") else value for key, value in found.items()
    }


def _add_network(part: Path, network: Path) -> str:
    """Copy a prepared network, unless another model of the pack needed it already."""
    # <backbone>/network, or a folder of any other name.
    name = network.parent.name if network.name == "network" else network.name
    target = f"networks/{name}"
    if not (part / target).exists():
        for path in sorted(network.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                _copy(path, part / target / path.name)
    return target


def image_settings(images: str | Path | None) -> dict[str, Any]:
    """Return the fields of `features.spectrograms.Settings` that images were made with.

    Raises
    ------
    GenreflowError
        If there are no images, or their file isn't whole.
    """
    from dataclasses import fields

    from genreflow.features import spectrograms

    if images is None:
        raise GenreflowError("the learner needs images: name the corpus's spectrograms.h5")
    with spectrograms.open_images(images) as file:
        found = {key: value.item() for key, value in file.attrs.items()}
    return {known.name: found[known.name] for known in fields(spectrograms.Settings)}


def _longest_features(models: Sequence[Model]) -> float:
    return max(source.settings["duration"] for model in models for source in model.features)


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise GenreflowError(f"{source}: there is no such file; run the workflow again") from None
    if source.suffix in (".keras", ".skops"):
        _require_whole(source)


def _require_whole(archive: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            broken = file.testzip()
    except zipfile.BadZipFile as error:
        broken = str(error)
    if broken:
        raise GenreflowError(
            f"{archive}: not a whole model file ({broken}); delete it and run again: it is made "
            "anew"
        )


def _files(folder: Path) -> Iterator[str]:
    """Yield what lies in a pack's sub-folders, and the combiner: all that is ever loaded."""
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if any(part.startswith(".") for part in place.parts):
            continue
        # Before any is read: links lead out of the pack, pipes never end.
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise GenreflowError(
                f"{str(path)!r} is not a plain file: a pack has no links, pipes or devices. "
                "Get the pack again"
            )
        if path.is_file() and (len(place.parts) > 1 or path.name == COMBINER):
            yield place.as_posix()


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(package: str) -> str:
    if package == genreflow.__name__:  # which runs from its folder, not installed
        return genreflow.__version__
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def read(folder: str | Path) -> Pack:
    """Read and check a pack. None of its members is loaded.

    Raises
    ------
    GenreflowError
        If it isn't a pack, one of another format, or a value of its description is of the wrong
        type or out of range; if a member is missing, changed or truncated, or something is there
        that the pack doesn't list.
    """
    folder = Path(folder)
    pack = Pack(**vars(parse(folder / _DESCRIPTION)), folder=folder)
    _check_members(pack)
    return pack


def _check_members(pack: Pack) -> None:
    wanted = {model.file for model in pack.models} | ({pack.combiner} - {None})
    networks = {
        source.settings["folder"]
        for model in pack.models
        for source in model.features
        if source.kind == "network"
    }
    wanted |= {f"{network}/network.json" for network in networks}
    if unlisted := sorted((wanted | set(_files(pack.folder))) - set(pack.members)):
        raise GenreflowError(
            f"{pack.folder / unlisted[0]} is not among the members that {_DESCRIPTION} lists: "
            "export the pack anew"
        )
    for name, expected in pack.members.items():
        _check_member(pack.folder / name, expected)


def _check_member(path: Path, expected: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise GenreflowError(
            f"{path}: the pack lacks this member ({error.strerror}); get the pack again"
        ) from None
    if found != expected:
        raise GenreflowError(
            f"{path} has the SHA-256 {found}, expected {expected}: it was changed or is not whole. "
            "Get the pack again"
        )


def choose(
    predictions: Sequence[str | Path],
    *,
    folder: str | Path,
    name: str = "",
    seen: Collection[str] = (),
) -> Path:
    """Choose the learner to predict with, by the validation part alone.

    The learner with the highest validation accuracy, a mean over its seeds; of equals the one
    with the lowest log loss there; then its seed by the same.

    Parameters
    ----------
    predictions
        The predictions.csv of the learners on one split, with all their seeds.
    folder
        The results of the corpus, below which the place of each tells learner, split and seed.
    name
        Of the learner that is wanted; "" for the best.
    seen
        Learners that learned from the validation part, which are chosen by name only.

    Returns
    -------
    pathlib.Path
        The predictions.csv of the chosen run.

    Raises
    ------
    GenreflowError
        If there is nothing to choose from, no learner has that name, a file is of another split
        than the first, or no track is in the validation part.
    NotPossible
        If the one that is named couldn't be made of its data. The best is one of those that could.
    """
    from genreflow.learners.predictions import Entry, unmade

    entries = [Entry.from_path(path, folder) for path in predictions]
    reasons = {learner: reason for (_, learner), reason in unmade(entries).items()}
    if name in reasons:
        raise NotPossible(f"{name} can't be made of these data: {reasons[name]}")
    entries = [entry for entry in entries if entry.learner not in reasons]
    splits = sorted({entry.split for entry in entries})
    if len(splits) > 1:
        raise GenreflowError(
            f"learners on the splits {', '.join(splits)} can't be ranked against each other: "
            "choose on one of them"
        )
    learners: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.learner not in seen or entry.learner == name:
            learners.setdefault(entry.learner, []).append(entry)
    if name and name not in learners:
        raise GenreflowError(
            f"there is no learner {name!r} to predict with; there are {', '.join(learners)}"
        )
    if not learners:
        raise GenreflowError(
            "there is no learner that validation can tell anything about: name the one to predict "
            "with"
        )
    considered = {name: learners[name]} if name else learners
    if name and len(learners[name]) == 1:
        return Path(learners[name][0].predictions)
    scores = {learner: [_score(entry) for entry in own] for learner, own in considered.items()}
    best = max(scores, key=lambda learner: tuple(map(_mean, zip(*scores[learner], strict=True))))
    chosen = max(range(len(scores[best])), key=scores[best].__getitem__)
    return Path(considered[best][chosen].predictions)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _score(entry: Any) -> tuple[float, float]:
    """Return accuracy and minus the log loss on validation: what is more is better."""
    import numpy as np

    from genreflow.learners.predictions import read_predictions

    table = read_predictions(entry.predictions)
    held = table[table["part"] == "validation"]
    if held.empty:
        raise GenreflowError(
            f"{entry.predictions}: no track is in the validation part, by which the best learner "
            "is chosen: name the one to predict with"
        )
    own = np.array([row[f"p_{row['genre']}"] for _, row in held.iterrows()])
    loss = -np.log(np.maximum(own, np.finfo(float).eps)).mean()
    return float((held["genre"] == held["predicted"]).mean()), -float(loss)
