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
from genreflow.learners import estimators

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Learner:
    """A learner.

    Attributes
    ----------
    name, model
        Its folder below a split, ``classify/vgg16/fc2/pca-0.90/svm-rbf``, and the file that it
        leaves there.
    title, kind
        What people call it, ``RBF SVM on VGG16 fc2, PCA 90 %``, and all that are like it,
        ``Classifiers on image networks``.
    matrix, features, sets
        The feature matrix that it takes, and what people call that; "" if it takes images, or is an
        ensemble. The feature sets behind it, by name.
    classifier
        The name of the classifier of scikit-learn that is fitted; "" for others.
    members, how
        The learners that it combines, and how.
    is_seeded, monitor
        Whether it is trained once for every seed, with a history over epochs, and what early
        stopping watches; "" if nothing does.
    prediction, downloads
        What prediction must know beside the model, the crops of a network of images; and the files
        that it needs and that are downloaded.
    is_random, learns_from_validation
        Whether it rests on a network that has learned nothing, and whether validation can tell
        nothing about it.
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
    title: str = ""
    kind: str = ""
    features: str = ""

    @property
    def own_name(self) -> str:
        """The name without its family: of a CNN its variant, of a network its units."""
        return self.name.partition("/")[2]

    @property
    def family(self) -> str:
        """cnn, ffnn, classify or ensemble."""
        return self.name.partition("/")[0]


def asked_for(config: Config, sets: Mapping[str, Planned]) -> dict[str, Learner]:
    """Return all learners that a complete configuration asks for, by their names.

    `sets` are its feature sets, by name.
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
            title=f"CNN {name}" + (f", from {variant['network']}" if path or random else ""),
            kind="CNNs on log-mel images",
        )


def _matrices(config: Config, sets: Mapping[str, Planned]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return by name the kind of each feature matrix, and what a learner says of it."""
    owners = {matrix: name for name, one in sets.items() for matrix in one.matrices}
    titles = {matrix: title for one in sets.values() for matrix, title in one.titles.items()}

    def taken(name: str, title: str, own: Sequence[str]) -> dict[str, Any]:
        behind = [sets[one] for one in own]
        return {
            "matrix": name,
            "features": title,
            "sets": own,
            "downloads": [file for one in behind for file in one.downloads],
            "is_random": any(one.is_random for one in behind),
        }

    found = {
        name: (sets[own].feature_set.plural, taken(name, titles[name], [own]))
        for name, own in owners.items()
    }
    for joined, parts in config["transfer"]["joined"].items():
        name, title = f"joined/{joined}", " + ".join(titles[part] for part in parts)
        own = list(dict.fromkeys(owners[part] for part in parts))
        found[name] = "joined features", taken(name, title, own)
    return found


def _feed_forward(config: Config, sets: Mapping[str, Planned]) -> Iterator[Learner]:
    matrices = _matrices(config, sets)
    for name in config["ffnn"]["features"]:
        _, taken = matrices[name]
        # As the study calls them, which knows no other features.
        place = "ffnn" if name == "handcrafted" else f"ffnn/{name}"
        for units in config["ffnn"]["units"]:
            shape = "-".join(map(str, units))
            yield Learner(
                f"{place}/{shape}",
                NETWORK,
                is_seeded=True,
                monitor=config["ffnn"]["monitor"],
                title=f"Feed-forward network {shape} on {taken['features']}",
                kind="Feed-forward networks",
                **taken,
            )


def pca_name(share: float | str) -> str:
    """Return the name of a share of variance as a folder: all, pca-0.90, pca-0.995."""
    if share == "all":
        return "all"
    return f"pca-{share:.2f}" if round(share, 2) == share else f"pca-{share:g}"


def _classifiers(config: Config, sets: Mapping[str, Planned]) -> Iterator[Learner]:
    matrices, known = _matrices(config, sets), estimators.known()
    for name, shares in config["classify"]["features"].items():
        kind, taken = matrices[name]
        transferred = config["transfer"]["backbones"].keys() & set(taken["sets"])
        section = "transfer" if transferred else "classify"
        for share in shares:
            reduced = "" if share == "all" else f", PCA {100 * share:g} %"
            for classifier in config[section]["run"]:
                yield Learner(
                    f"classify/{name}/{pca_name(share)}/{classifier}",
                    CLASSIFIER,
                    classifier=classifier,
                    learns_from_validation="validation" in config["classify"]["fit_on"],
                    title=f"{known[classifier].TITLE} on {taken['features']}{reduced}",
                    kind=f"Classifiers on {kind}",
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
                title=_ensemble_title(name, ensemble["how"], len(members)),
                kind="Ensembles",
            )


def _ensemble_title(name: str, how: str, count: int) -> str:
    said = f"{how.capitalize()} of {count} learners"
    return said if name == how else f"{said} ({name})"
