"""Bundles: what a trained learner needs to predict, in one folder that can be given to others.

``bundle.json`` holds plain data: the learner's name and genres, the settings of its audio, images
or features, the versions of the packages, and the SHA-256 of every member. The members are models
(``.keras``, ``.skops``) and the networks whose outputs are features. ``README.md`` is the
model card, for people.

Hashes find what was damaged on its way. They don't say who made a bundle; that one from a stranger
runs no code when it is loaded is up to how its members are loaded (`learners.models`,
`features.engines`, `features.onnx_networks`).
"""

import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreflow.bundle.description import FORMAT, Audit, BundledModel, Description, parse
from genreflow.errors import GenreflowError
from genreflow.features import shards
from genreflow.features.feature_set import SOURCE, Part
from genreflow.layout import COMBINER, Fitted, Layout
from genreflow.names import RANDOM
from genreflow.runtime import outcomes
from genreflow.runtime.files import sha256, write_json, write_text
from genreflow.runtime.versions import version_of

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = (
    *("genreflow", "h5py", "imageio-ffmpeg", "keras", "librosa", "numpy", "openvino"),
    *("scikit-learn", "scipy", "skops", "soundfile", "soxr", "tensorflow"),
)
"""Whose versions a bundle names: those that numbers depend on."""

_DESCRIPTION, _CARD = "bundle.json", "README.md"

_LEARNED_NOTHING = (
    "The network that its features come from has random weights: it has learned nothing."
)


@dataclass(frozen=True, kw_only=True)
class Bundle(Description):
    """What `read` knows of a bundle, and the folder where it is."""

    folder: Path

    @property
    def parts(self) -> list[Part]:
        """What all models take."""
        return [part for model in self.models for part in model.features]

    @property
    def uses_keras(self) -> bool:
        """Whether Keras is needed, which then is to be configured before a model is loaded."""
        sets = [part.feature_set(folder=str(self.folder)) for part in self.parts]
        by_keras = any(one.uses_keras for one in sets)
        return by_keras or any(model.file.endswith(".keras") for model in self.models)

    @property
    def extras(self) -> set[str]:
        """The extras of the library that are needed, of `runtime.extras.EXTRAS`."""
        sets = [part.feature_set(folder=str(self.folder)) for part in self.parts if part.network]
        needed = {"networks"} if any(not one.uses_keras for one in sets) else set()
        return needed | ({"keras"} if self.uses_keras else set())

    def other_versions(self) -> list[str]:
        """Return the packages that have another version here, each as a text.

        Of those that it doesn't need, some may not be there at all.
        """
        here = {name: version_of(name) for name in self.versions}
        return [
            f"{name} {here[name]} (the bundle was made with {version})"
            for name, version in self.versions.items()
            if here[name] not in ("", version)
        ]


def model_of(
    fitted: Fitted, learner: Mapping[str, Any], layout: Layout, networks: Mapping[str, str]
) -> BundledModel:
    """Describe what a learner left of one training, by where its files lie now.

    `learner` has name, model, matrix and prediction of `genreflow.learners.learner.Learner`;
    `networks` are those of the feature sets that have one, by name.

    Raises
    ------
    GenreflowError
        If the matrix isn't whole, or new audio can't be turned into its features.
    NotPossible
        If the model couldn't be made of its data.
    """
    import yaml

    path = fitted.model(learner["model"])
    outcomes.require(path)
    parts = shards.parts_of(layout.features(learner["matrix"])) if learner["matrix"] else []
    features = tuple(replace(part, network=networks.get(part.name, "")) for part in parts)
    for part in features:
        part.feature_set().require_audio()
    winner, searched = Path(layout.winner(fitted.split, fitted.learner)), {}
    outcomes.require(winner)
    if winner.exists():
        searched = yaml.safe_load(winner.read_text(encoding="utf-8"))
    prediction = {key: searched.get(key, value) for key, value in learner["prediction"].items()}
    return BundledModel(learner["name"], path, features, **prediction)


def export(
    folder: str | Path,
    chosen: Fitted,
    models: Sequence[BundledModel],
    *,
    combiner: str | Path | None = None,
    images: str | Path,
    audit: Mapping[str, float],
    title: str = "",
    corpus: str,
    note: str = "",
    marks: Mapping[str, str] | None = None,
    credits: Mapping[str, str] | None = None,
    tracks: str | Path | None = None,
    validated: bool = True,
) -> Bundle:
    """Bundle a trained learner.

    Parameters
    ----------
    folder
        Where the bundle shall be. One that is there is replaced.
    chosen
        The learner; its predictions tell the genres and how well it does.
    models, combiner
        What `model_of` returned for it; for all members, with all their seeds, of an ensemble, and
        its file of `learners.ensembles.save`.
    images
        Log-mel images of the corpus, whose attributes tell how they and the WAVs are made.
    audit, title, corpus, note
        As for `Description`.
    marks
        As for `learners.predictions.marked`.
    credits
        Licences and makers of networks, by feature set, for the card.
    tracks
        The corpus's manifest, whose artists and licences the card counts.
    validated
        Whether validation can tell when the learner is unsure, for it didn't learn from it.

    Raises
    ------
    GenreflowError
        If a file is missing or damaged, or `folder` holds something else than a bundle.
    """
    from genreflow.bundle import card
    from genreflow.features import spectrograms
    from genreflow.learners.predictions import genres_of, marked, read_predictions

    table = read_predictions(chosen.predictions)
    folder = Path(folder)
    if RANDOM in marked(chosen.learner, marks):
        note = " ".join(filter(None, [note, _LEARNED_NOTHING]))
    with _replaced(folder) as part:
        bundled = [_add_model(part, number, model) for number, model in enumerate(models, start=1)]
        resampled = any(model.needs - {SOURCE} for model in bundled)
        settings = asdict(spectrograms.read_settings(images)) if resampled else None
        if combiner is not None:
            _copy(Path(combiner), part / COMBINER)
        bundle = Bundle(
            folder=folder,
            format=FORMAT,
            learner=chosen.learner,
            title=title,
            split=chosen.split,
            seed=chosen.seed,
            genres=tuple(genres_of(table)),
            clip=settings["duration"] if settings else _longest_features(bundled, images),
            audit=Audit(**audit),
            images=settings,
            models=tuple(bundled),
            combiner=None if combiner is None else COMBINER,
            versions={name: version_of(name) for name in PACKAGES},
            members={path: sha256(part / path) for path in sorted(_files(part))},
            unsure=_unsure(table) if validated else None,
            corpus=corpus,
            note=note,
        )
        described = asdict(bundle)
        del described["folder"]
        write_json(described, part / _DESCRIPTION)
        parse(part / _DESCRIPTION)
        networks = _networks(part, bundle.parts, credits or {})
        about = {"networks": networks, "note": note, "marks": marks}
        about["extras"] = replace(bundle, folder=part).extras
        text = card.write(bundle, table, corpus=corpus, tracks=tracks, **about)
        write_text(part / _CARD, text)
    return bundle


def _unsure(table: "pd.DataFrame") -> float | None:
    """Return below which probability a learner is unsure, by its predictions of validation."""
    from genreflow.evaluation import calibration
    from genreflow.learners.predictions import scored

    held = table[table["part"] == "validation"]
    if held.empty:
        return None
    scores = scored(held)
    return calibration.threshold(scores["confidence"], scores["correct"])


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give a new folder, which takes the place of `folder` when the block ends without an error."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _DESCRIPTION).exists():
        raise GenreflowError(
            f"{folder} holds something else than a bundle: name another folder, or empty it"
        )
    part = folder.with_name(f".part-{folder.name}")
    _remove(part)
    part.mkdir(parents=True)
    try:
        yield part
        _remove(folder)
        part.replace(folder)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    """Remove a folder with all in it, or a file, or a link alone: what it leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _add_model(part: Path, number: int, model: BundledModel) -> BundledModel:
    """Copy a model and the networks that it needs; return it as the bundle knows it."""
    path = Path(model.file)
    file = f"models/{number}/{path.name}"
    _copy(path, part / file)
    features = tuple(
        replace(one, network=_add_network(part, one.name, Path(one.network)) if one.network else "")
        for one in model.features
    )
    return replace(model, file=file, features=features)


def _add_network(part: Path, name: str, network: Path) -> str:
    """Copy a network, a file or a folder, unless another model of the bundle needed it already."""
    target = f"networks/{name}{network.suffix}"
    if network.is_file():
        _copy(network, part / target)
    elif not (part / target).exists():
        for path in sorted(network.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                _copy(path, part / target / path.name)
    return target


def _networks(folder: Path, parts: Sequence[Part], credits: Mapping[str, str]) -> dict[str, str]:
    """Return the networks that were copied, with what is known of their licences.

    They are to work without what lies outside of the bundle.
    """
    found = {}
    for part in (part for part in parts if part.network):
        try:
            name = part.feature_set(folder=str(folder)).about.get("network", part.name)
            found[name] = credits.get(part.name, "")
        except GenreflowError as error:
            raise GenreflowError(
                f"the network of the features {part.name} doesn't work alone ({error}): a network "
                "in ONNX has to be one file, with all its weights"
            ) from None
    return dict(sorted(found.items()))


def _longest_features(models: Sequence[BundledModel], images: str | Path) -> float:
    """Return how much of the source audio is looked at [s]; as much as an image if none says."""
    from genreflow.features import spectrograms

    sets = [part.feature_set() for model in models for part in model.features]
    return max(one.seconds for one in sets) or spectrograms.read_settings(images).duration


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
    """Yield what lies in a bundle's sub-folders, and the combiner: all that is ever loaded."""
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if any(part.startswith(".") for part in place.parts):
            continue
        # Before any is read: links lead out of the bundle, pipes never end.
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise GenreflowError(
                f"{str(path)!r} is not a plain file: a bundle has no links, pipes or devices. "
                "Get the bundle again"
            )
        if path.is_file() and (len(place.parts) > 1 or path.name == COMBINER):
            yield place.as_posix()


def read(folder: str | Path) -> Bundle:
    """Read and check a bundle. None of its members is loaded.

    Raises
    ------
    GenreflowError
        If it isn't a bundle, one of another format, or a value of its description is of the wrong
        type or out of range; if a member is missing, changed or truncated, or something is there
        that the bundle doesn't list.
    """
    folder = Path(folder)
    bundle = Bundle(**vars(parse(folder / _DESCRIPTION)), folder=folder)
    _check_members(bundle)
    return bundle


def _check_members(bundle: Bundle) -> None:
    wanted = {model.file for model in bundle.models} | ({bundle.combiner} - {None})
    wanted |= {part.network for part in bundle.parts if part.network}
    folders = {str(Path(name).parent) for name in bundle.members}
    files = set(_files(bundle.folder))
    if unlisted := sorted((wanted | files) - (bundle.members.keys() | folders)):
        raise GenreflowError(
            f"{bundle.folder / unlisted[0]} is not among the members that {_DESCRIPTION} lists: "
            "export the bundle anew"
        )
    for name, expected in bundle.members.items():
        path = bundle.folder / name
        try:
            found = sha256(path)
        except OSError as error:
            raise GenreflowError(
                f"{path}: the bundle lacks this member ({error.strerror}); get the bundle again"
            ) from None
        if found != expected:
            raise GenreflowError(
                f"{path} has the SHA-256 {found}, expected {expected}: it was changed or is not "
                "whole. Get the bundle again"
            )
