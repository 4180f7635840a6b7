"""What a checked configuration asks for, given the tracks that are listed.

Which splits and learners there are, which learners are left out beforehand and why, what has to be
downloaded, and what is refused before anything is computed. Pure: nothing is read or written.
"""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from genreflow.corpus import splits
from genreflow.corpus.tracks import PARTS, Track
from genreflow.errors import GenreflowError
from genreflow.limits import MAX_TRACKS

Config = Mapping[str, Any]

ENOUGH = 100
"""Test tracks from which on the 95 % interval of an accuracy is at most 10 points to each side."""

FOLDS = 5
"""Folds of the cross-validation that `auto` takes, where each genre fills so many."""

LEAST = 4
"""What `auto` needs of each genre: one to test, one to validate, two to learn from."""


@dataclass(frozen=True)
class Plan:
    """What a run makes.

    Attributes
    ----------
    splits
        The names of all splits.
    choice
        What ``auto`` stands for, and why; "" if it isn't asked for.
    networks, classifiers, ensembles
        The learners, by their paths below a split.
    left_out
        Those that are asked for and can't be made on any split, with the reason.
    """

    splits: list[str]
    choice: str
    networks: list[str]
    classifiers: list[str]
    ensembles: list[str]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def learners(self) -> list[str]:
        """All that are made."""
        return [*self.networks, *self.classifiers, *self.ensembles]

    @property
    def variants(self) -> list[str]:
        """The names of the CNNs among them."""
        return [name.removeprefix("cnn/") for name in self.networks if name.startswith("cnn/")]


def make(
    config: Config,
    tracks: Sequence[Track],
    *,
    lacking: Collection[str] = (),
) -> Plan:
    """Plan a run.

    Parameters
    ----------
    config
        Complete, as `config.complete` returns it.
    tracks
        Those with a genre and a file. Without any, as before a download, nothing is refused, and
        only what is `lacking` is left out.
    lacking
        Paths of `downloads` that aren't there.

    Raises
    ------
    GenreflowError
        If a genre is certain to have too few tracks for a split, whatever an audit leaves out.
        Names all such genres.
    """
    genres = _Genres.of(tracks)
    names, choice = _choose(config, genres)
    expanded = splits.expand(names)
    families = list(dict.fromkeys(map(splits.family, expanded)))
    if tracks:
        _refuse(config, families, genres)
    reasons: dict[str, str] = {}
    for name in [*_networks(config), *_classifiers(config)]:
        if reason := _lacks(config, name, lacking) or _too_large(config, name, families, genres):
            reasons[name] = reason
    asked = _ensembles(config)
    for name, ensemble in asked.items():
        if reason := _no_ensemble(config, ensemble, reasons, families, genres):
            reasons[name] = reason

    def kept(learners: Iterable[str]) -> list[str]:
        return [name for name in learners if name not in reasons]

    return Plan(
        splits=expanded,
        choice=choice,
        networks=kept(_networks(config)),
        classifiers=kept(_classifiers(config)),
        ensembles=kept(asked),
        left_out=reasons,
    )


# --- tracks by genre ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Genres:
    """The tracks of each genre, and the groups of artists and albums that they are in."""

    tracks: dict[str, list[Track]]
    group: dict[str, int]

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> "_Genres":
        by_genre = defaultdict(list)
        for track in tracks:
            by_genre[track.genre].append(track)
        joined = splits.joined(
            [[(track.artist_id,) for track in tracks], [(track.album_id,) for track in tracks]]
        )
        ids = (track.track_id for track in tracks)
        return cls(dict(sorted(by_genre.items())), dict(zip(ids, joined, strict=True)))

    def __len__(self) -> int:
        return len(self.group)

    def count(self, genre: str, *parts: str) -> int:
        """Count the groups of a genre; only of tracks in some parts of the corpus's own split."""
        found = self.tracks[genre]
        return len({self.group[one.track_id] for one in found if not parts or one.split in parts})

    @property
    def rarest(self) -> int:
        """How many groups the genre with the fewest has."""
        return min(map(self.count, self.tracks), default=0)

    @property
    def own_validation(self) -> bool:
        """Whether the corpus's own split has a validation part."""
        return any(one.split == "validation" for own in self.tracks.values() for one in own)


# --- splits --------------------------------------------------------------------------------------


def _choose(config: Config, genres: _Genres) -> tuple[list[str], str]:
    """Put what ``auto`` stands for into the names of the splits; say what and why."""
    names = list(config["splits"])
    if splits.AUTO not in names:
        return names, ""
    share = config["split"]["test"]
    tested = int(len(genres) * Fraction(str(share)))
    interval = "95 % interval within 10 points on each side"
    if tested >= ENOUGH or not len(genres):
        name = "grouped"
        why = (
            f": a test part of {100 * share:g} % has {tested:,} of the {len(genres):,} tracks, and "
            f"from {ENOUGH} on an accuracy has a {interval}."
        )
    else:
        name = f"cv-1x{max(LEAST, min(FOLDS, genres.rarest))}"
        why = (
            f". A test part of {100 * share:g} % would have only {tested} of the {len(genres):,} "
            f"tracks; it takes {ENOUGH} for a {interval}. In cross-validation every track is "
            "tested once."
        )
    chosen = dict.fromkeys(name if one == splits.AUTO else one for one in names)
    return list(chosen), f"splits: auto means {name} here{why}"


def _refuse(config: Config, families: Sequence[str], genres: _Genres) -> None:
    """Raise if a genre can't fill the parts of a split, or the folds of the grid search."""
    problems = []
    if "official" in families and (problem := _without_part(config, genres)):
        problems.append(problem)
        families = [name for name in families if name != "official"]
    for genre in genres.tracks:
        for name in families:
            if needed := _needed(config, name, genre, genres):
                problems.append(_too_few(config, name, genre, genres, needed))
                break
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise GenreflowError(f"these tracks can't be split as asked for:\n{listed}")


def _without_part(config: Config, genres: _Genres) -> str:
    """Say that more tracks have no part than an audit may leave out; "" if not."""
    without = sum(one.split not in PARTS for own in genres.tracks.values() for one in own)
    if without <= config["corpus"]["max_excluded"] * len(genres):
        return ""
    return (
        f"{without:,} of the {len(genres):,} tracks have no part in a split of the corpus itself, "
        "which `splits: [official]` asks for: use `splits: [auto]`, or say the parts in a table "
        "(corpus.kind: table, column split)"
    )


def _needed(config: Config, name: str, genre: str, genres: _Genres) -> str:
    """Say what a genre lacks for a split, or "" if it may have enough."""
    # Two to learn from, where the grid search divides them once more.
    grids = _classifiers(config) and config["classify"]["fit_on"] == ["training"]
    learn = 2 if grids else 1
    groups, count = genres.count(genre), len(genres.tracks[genre])
    if name == "official":
        return _needed_by_parts(genre, genres)
    if name == "grouped":
        least, enough = learn + 2, groups >= learn + 2
    elif name == "lowest-ids":
        share = Fraction(str(config["split"]["test"]))
        tested = math.floor(count * share)
        least = max(math.ceil(1 / share), learn + 2)
        return "" if tested and count - tested > learn else f"at least {least} are needed"
    else:
        # In every fold one to validate and one to learn from, in some fold enough for the grid.
        (folds,) = map(int, re.findall("x([0-9]+)$", name))

        def fills(number: int) -> bool:
            most, fewest = math.ceil(number / folds), number // folds
            return number >= folds and number - most >= 2 and number - fewest > learn

        least, enough = next(filter(fills, range(folds, 3 * folds + 4))), fills(groups)
    apart = " that share no artist or album" if groups < count else ""
    return "" if enough else f"at least {least}{apart} are needed"


def _needed_by_parts(genre: str, genres: _Genres) -> str:
    """Say what a genre lacks in the corpus's own split."""
    parts = ("training", "validation", "test") if genres.own_validation else ("training", "test")
    missing = [part for part in parts if not genres.count(genre, part)]
    if missing:
        return f"none of them is in the {missing[0]} part of the corpus's own split"
    if not genres.own_validation and genres.count(genre, "training") < 2:
        return "at least 2 independent ones are needed in the training part, 1 of them to validate"
    return ""


def _too_few(config: Config, name: str, genre: str, genres: _Genres, needed: str) -> str:
    corpus, tracks = config["corpus"], genres.tracks[genre]
    if corpus["kind"] == "folder":
        where = os.path.commonpath([os.path.dirname(one.path) for one in tracks])  # noqa: PTH120
        out = "merge it with another genre, or take the folder out"
    else:
        where = corpus["table"] if corpus["kind"] == "table" else ""
        out = "give them another genre, or take them out"
    where = where and f" ({where})"
    groups = genres.count(genre)
    joined = f", of {groups} groups by artist and album" if groups < len(tracks) else ""
    auto = splits.AUTO in config["splits"]
    other = "" if auto or groups < LEAST else "ask for `splits: [auto]`, "
    return (
        f"genre {genre!r} has {_tracks(len(tracks))}{where}{joined}; for the split {name} "
        f"{needed}: add tracks, {other}{out}"
    )


def _tracks(number: int) -> str:
    return "1 track" if number == 1 else f"{number:,} tracks"


# --- learners ------------------------------------------------------------------------------------


def ffnn_names(config: Config) -> list[str]:
    """Return the name of each feed-forward network: the units of its hidden layers."""
    return ["-".join(map(str, units)) for units in config["ffnn"]["units"]]


def pca_name(share: float | str) -> str:
    """Return the name of a share of variance as a folder: all, pca-0.90, pca-0.995."""
    if share == "all":
        return "all"
    return f"pca-{share:.2f}" if round(share, 2) == share else f"pca-{share:g}"


def _networks(config: Config) -> list[str]:
    return [f"cnn/{variant}" for variant in config["cnn"]["run"]] + [
        f"ffnn/{units}" for units in ffnn_names(config)
    ]


def _classifiers(config: Config) -> list[str]:
    return [
        f"classify/{features}/{pca_name(share)}/{classifier}"
        for features, shares in config["classify"]["features"].items()
        for share in shares
        for classifier in config["classify" if features == "handcrafted" else "transfer"]["run"]
    ]


def _ensembles(config: Config) -> dict[str, Config]:
    """Return the ensembles of which all members are asked for."""
    single = {*_networks(config), *_classifiers(config)}
    return {
        f"ensemble/{name}": ensemble
        for name, ensemble in config["ensembles"]["members"].items()
        if single.issuperset(ensemble["of"])
    }


def _too_large(config: Config, name: str, families: Sequence[str], genres: _Genres) -> str:
    """Say that an RBF SVM would be fitted on too many tracks on every split."""
    if not name.endswith("/svm-rbf"):
        return ""
    sizes = [_learned_from(config, family, genres) for family in families]
    least = min(sizes) * (1 - config["corpus"]["max_excluded"])
    if least <= MAX_TRACKS:
        return ""
    return (
        f"it would need a square matrix of about {min(sizes):,.0f} tracks "
        f"({8e-9 * min(sizes) ** 2:.0f} GB), more than the {MAX_TRACKS:,} that are allowed: use "
        "svm-linear, logistic-regression or gradient-boosting"
    )


def _learned_from(config: Config, family: str, genres: _Genres) -> float:
    """Estimate the number of tracks that classifiers learn from on a split."""
    fit_on, share = config["classify"]["fit_on"], config["split"]["validation"]
    if family == "official" and genres.own_validation:
        listed = Counter(one.split for own in genres.tracks.values() for one in own)
        return sum(listed[part] for part in fit_on)
    rest = sum(_outside_test(config, family, genre, genres) for genre in genres.tracks)
    held = len(genres) * share if family == "grouped" else rest * share
    return {"training": rest - held, "validation": held}.get("".join(fit_on), rest)


def _outside_test(config: Config, family: str, genre: str, genres: _Genres) -> float:
    """Estimate how many tracks of a genre are outside the test part."""
    count = len(genres.tracks[genre])
    if family == "official":
        return sum(one.split != "test" for one in genres.tracks[genre])
    if family in splits.SINGLE:
        return count * (1 - config["split"]["test"])
    (folds,) = map(int, re.findall("x([0-9]+)$", family))
    return count * (1 - 1 / folds)


def _no_ensemble(
    config: Config,
    ensemble: Config,
    reasons: Mapping[str, str],
    families: Sequence[str],
    genres: _Genres,
) -> str:
    """Say why an ensemble can't be made; "" if it may be."""
    for member in ensemble["of"]:
        if member in reasons:
            return f"its member {member} is left out: {reasons[member]}"
    if ensemble["how"] != "stack":
        return ""
    classified = [one for one in ensemble["of"] if one.startswith("classify/")]
    if classified and "validation" in config["classify"]["fit_on"]:
        return (
            f"a stack is fitted on validation, from which {classified[0]} learns too "
            "(classify.fit_on): average instead"
        )
    validated = [_fewest_validated(config, family, genres) for family in families]
    if not genres.tracks or max(number for number, _ in validated) >= 1.5:
        return ""
    number, genre = max(validated)
    return (
        "a stack learns from the validation part, and needs at least 2 independent tracks of each "
        f"genre there; of {genre!r} there would be about {max(1, round(number))}: use the average, "
        "add tracks, or raise split.validation"
    )


def _fewest_validated(config: Config, family: str, genres: _Genres) -> tuple[float, str]:
    """Estimate the number of groups in validation of the genre that has fewest there."""
    if family == "official" and genres.own_validation:
        return min(
            ((genres.count(one, "validation"), one) for one in genres.tracks), default=(0, "")
        )
    share = config["split"]["validation"]
    counts = []
    for genre, own in genres.tracks.items():
        rest = len(own) if family == "grouped" else _outside_test(config, family, genre, genres)
        counts.append((share * rest * genres.count(genre) / len(own), genre))
    return min(counts, default=(0, ""))


# --- downloads -----------------------------------------------------------------------------------


def weights_file(settings: Config, folder: str) -> str:
    """Return the file of the weights that settings of a network name; "" if there is none."""
    network, weights = settings["network"], settings["weights"]
    if weights == "random" or network.endswith(".keras"):
        return ""
    return f"{folder}/weights/{network}.h5" if weights == "imagenet" else weights


def network_file(backbone: Config, folder: str) -> str:
    """Return the file of a backbone; "" if it is a network of keras.applications."""
    if is_remote(backbone):
        return f"{folder}/onnx/{backbone['sha256'].lower()}.onnx"
    own = backbone["kind"] == "onnx" or backbone["network"].endswith(".keras")
    return backbone["network"] if own else ""


def is_remote(backbone: Config) -> bool:
    """Tell whether a backbone is a network in ONNX that is downloaded."""
    return backbone["kind"] == "onnx" and backbone["network"].startswith("http")


def downloads(config: Config) -> list[dict[str, str]]:
    """Return what has to be downloaded for the learners that are asked for, beside the corpus.

    Returns
    -------
    list of dict
        Each with path, and either network (Keras publishes its ImageNet weights) or url and
        sha256.
    """
    found = {
        one["path"]: one
        for learner in [*_networks(config), *_classifiers(config)]
        for one in _downloads_of(config, learner)
    }
    return list(found.values())


def _downloads_of(config: Config, learner: str) -> Iterator[dict[str, str]]:
    folder = config["transfer"]["folder"]
    for settings in _networks_behind(config, learner):
        if settings["kind"] == "keras" and settings["weights"] == "imagenet":
            if path := weights_file(settings, folder):
                yield {"path": path, "network": settings["network"]}
        elif is_remote(settings):
            path = network_file(settings, folder)
            yield {"path": path, "url": settings["network"], "sha256": settings["sha256"].lower()}


def _networks_behind(config: Config, learner: str) -> list[Config]:
    """Return the settings of the networks from elsewhere that a learner rests on."""
    stage, _, rest = learner.partition("/")
    if stage == "cnn":
        variant = config["cnn"]["variants"][rest]
        return [variant | {"kind": "keras"}] if variant["architecture"] == "finetuned" else []
    if stage != "classify":
        return []
    features = rest.rsplit("/", 2)[0]
    parts = config["transfer"]["joined"].get(features.removeprefix("joined/"), [features])
    known = config["transfer"]["backbones"]
    names = dict.fromkeys(part.partition("/")[0] for part in parts)
    return [known[name] for name in names if name in known]


def _lacks(config: Config, learner: str, lacking: Collection[str]) -> str:
    absent = [one["path"] for one in _downloads_of(config, learner) if one["path"] in lacking]
    if not absent:
        return ""
    return (
        f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not there: `snakemake fetch`"
        " with the same options downloads what is missing"
    )
