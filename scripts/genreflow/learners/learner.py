"""Learners as a configuration asks for them: what they take, and what they leave.

Pure: what a plan knows of a learner before anything is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genreflow.features.feature_set import Planned
from genreflow.features.kinds.image_network import weights_file
from genreflow.layout import CLASSIFIER, COMBINER, NETWORK

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Learner:
    """A learner.

    Attributes
    ----------
    name
        Its folder below a split: ``cnn/simple``, ``classify/vgg16/fc2/pca-0.90/svm-rbf``.
    model
        The file that it leaves beside its predictions.
    matrix
        The feature matrix that it takes; "" if it takes images, or is an ensemble.
    sets
        The feature sets behind the matrix, by name.
    classifier
        The name of the classifier of scikit-learn that is fitted; "" for others.
    members
        The learners that it combines.
    how
        How it combines them.
    is_seeded
        Whether it is trained once for every seed, with a history over epochs.
    monitor
        What early stopping watches; "" if nothing does.
    prediction
        What prediction must know beside the model: the crops of a network of images.
    downloads
        The files that it needs and that are downloaded.
    is_random
        Whether it rests on a network that has learned nothing.
    learns_from_validation
        Whether validation can tell nothing about it.
    """

    name: str
    model: str
    matrix: str = ""
    sets: Sequence[str] = ()
    classifier: str = ""
    members: Sequence[str] = ()
    how: str = ""
    is_seeded: bool = False
    monitor: str = ""
    prediction: Mapping[str, Any] = field(default_factory=dict)
    downloads: Sequence[Mapping[str, str]] = ()
    is_random: bool = False
    learns_from_validation: bool = False

    @property
    def own_name(self) -> str:
        """The name without its family: of a CNN its variant, of a network its units."""
        return self.name.partition("/")[2]

    @property
    def family(self) -> str:
        """cnn, ffnn, classify or ensemble."""
        return self.name.partition("/")[0]


def asked_for(config: Config, sets: Mapping[str, Planned]) -> dict[str, Learner]:
    """Return all learners that a configuration asks for, by their names.

    Parameters
    ----------
    config
        Complete.
    sets
        The feature sets of the configuration, by name.
    """
    single = {
        one.name: one
        for one in [*_cnns(config), *_feed_forward(config, sets), *_classifiers(config, sets)]
    }
    return single | {one.name: one for one in _ensembles(config, single)}


def _cnns(config: Config) -> Iterator[Learner]:
    for name in config["cnn"]["run"]:
        variant = config["cnn"]["variants"][name]
        path, random = "", False
        if variant["architecture"] == "finetuned":
            path = weights_file(variant, config["transfer"]["folder"])
            random = variant["weights"] == "random" and not variant["network"].endswith(".keras")
        published = path and variant["weights"] == "imagenet"
        yield Learner(
            f"cnn/{name}",
            NETWORK,
            is_seeded=True,
            monitor=variant.get("monitor", config["cnn"]["monitor"]),
            prediction={key: variant[key] for key in ("crop_frames", "crops")},
            downloads=[{"path": path, "network": variant["network"]}] if published else [],
            is_random=random,
        )


def _made_of(config: Config, sets: Mapping[str, Planned]) -> dict[str, list[str]]:
    """Return the feature sets behind each matrix, by their names."""
    owners = {matrix: name for name, one in sets.items() for matrix in one.matrices}
    joined = {f"joined/{name}": parts for name, parts in config["transfer"]["joined"].items()}
    parts_of = {matrix: [matrix] for matrix in owners} | joined
    return {
        name: list(dict.fromkeys(owners[part] for part in parts))
        for name, parts in parts_of.items()
    }


def _taken(matrix: str, names: Sequence[str], sets: Mapping[str, Planned]) -> dict[str, Any]:
    """Return what a learner on a feature matrix says of it."""
    return {
        "matrix": matrix,
        "sets": names,
        "downloads": [file for name in names for file in sets[name].downloads],
        "is_random": any(sets[name].is_random for name in names),
    }


def _feed_forward(config: Config, sets: Mapping[str, Planned]) -> Iterator[Learner]:
    made_of = _made_of(config, sets)
    for matrix in config["ffnn"]["features"]:
        # As the study calls them, which knows no other features.
        place = "ffnn" if matrix == "handcrafted" else f"ffnn/{matrix}"
        for units in config["ffnn"]["units"]:
            yield Learner(
                f"{place}/{'-'.join(map(str, units))}",
                NETWORK,
                is_seeded=True,
                monitor=config["ffnn"]["monitor"],
                **_taken(matrix, made_of[matrix], sets),
            )


def pca_name(share: float | str) -> str:
    """Return the name of a share of variance as a folder: all, pca-0.90, pca-0.995."""
    if share == "all":
        return "all"
    return f"pca-{share:.2f}" if round(share, 2) == share else f"pca-{share:g}"


def _classifiers(config: Config, sets: Mapping[str, Planned]) -> Iterator[Learner]:
    made_of = _made_of(config, sets)
    for matrix, shares in config["classify"]["features"].items():
        taken = _taken(matrix, made_of[matrix], sets)
        transferred = config["transfer"]["backbones"].keys() & set(taken["sets"])
        section = "transfer" if transferred else "classify"
        for share in shares:
            for classifier in config[section]["run"]:
                yield Learner(
                    f"classify/{matrix}/{pca_name(share)}/{classifier}",
                    CLASSIFIER,
                    classifier=classifier,
                    learns_from_validation="validation" in config["classify"]["fit_on"],
                    **taken,
                )


def _ensembles(config: Config, single: Mapping[str, Learner]) -> Iterator[Learner]:
    """Yield the ensembles of which all members are asked for."""
    for name, ensemble in config["ensembles"]["members"].items():
        if single.keys() >= set(ensemble["of"]):
            members = [single[member] for member in ensemble["of"]]
            yield Learner(
                f"ensemble/{name}",
                COMBINER,
                members=ensemble["of"],
                how=ensemble["how"],
                is_random=any(member.is_random for member in members),
                learns_from_validation=any(one.learns_from_validation for one in members),
            )
