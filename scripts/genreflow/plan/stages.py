"""What each rule reads and depends on: inputs and params, as functions of its wildcards.

Params are narrow, so that a key makes stale just what uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genreflow import split_names
from genreflow.errors import GenreflowError
from genreflow.features.kinds.image_network import weights_file
from genreflow.learners import estimators
from genreflow.learners.learner import Learner
from genreflow.limits import MAX_TRACKS
from genreflow.plan import feasibility
from genreflow.plan.clip_stages import ClipStages

TRAINING = ("batch_size", "epochs", "monitor", "patience")
"""What a variant of the CNN may set otherwise than all others."""


def one_of(names: Iterable[str]) -> str:
    """Return the pattern of some names; of none it matches nothing."""
    return "|".join(names) or "(?!)"


@dataclass(frozen=True)
class Stages(ClipStages):
    """The stages of a plan, all of them."""

    # CNNs

    def _variant(self, wildcards: Any) -> Mapping[str, Any]:
        variants = self.plan.config["cnn"]["variants"]
        if wildcards.variant not in variants:
            known = ", ".join(variants)
            raise GenreflowError(f"no variant {wildcards.variant} in cnn.variants: {known}")
        return variants[wildcards.variant]

    @property
    def masked_copies(self) -> dict[str, Any]:
        """What the masked copies depend on."""
        keys = ("copies", "frequency_mask", "time_mask", "masks", "fill")
        return self._section("augment", *keys) | {"seed": self.plan.config["seed"]}

    @property
    def augmentation(self) -> dict[str, Any]:
        """What augmentation while training depends on."""
        keys = ("frequency_mask", "time_mask", "masks", "fill", "time_shift", "gain", "mixup")
        return self._section("augment", *keys)

    def masked_shards(self, wildcards: Any) -> list[str]:
        """Return the masked copies of all shards."""
        return self._of_shards(lambda s: self.plan.layout.augmented_shard(wildcards.split, s))

    def variant(self, wildcards: Any) -> dict[str, Any]:
        """Return what the network of a variant and its training depend on."""
        variant = self._variant(wildcards)
        mode = self.plan.augmentation(variant)
        unused = {"search", "augment", *TRAINING} | (set() if mode == "online" else {"strength"})
        kept = {key: value for key, value in variant.items() if key not in unused}
        online = self.augmentation if mode == "online" else {}
        return kept | {"augment": mode, "online": online}

    def training(self, wildcards: Any) -> dict[str, Any]:
        """Return what the training of a variant depends on beside its own settings."""
        variant, shared = self._variant(wildcards), self.plan.config["cnn"]
        keys = (*TRAINING, "class_weight", "precision")
        return {key: variant.get(key, shared[key]) for key in keys}

    def trial(self, wildcards: Any) -> dict[str, Any]:
        """Return what all trials of a search share with the training of the winner."""
        training = self.training(wildcards)
        return {key: training[key] for key in ("batch_size", "class_weight", "precision")}

    def _space(self, wildcards: Any) -> Mapping[str, Any]:
        spaces = self.plan.config["cnn"]["search"]["spaces"]
        return spaces[self._variant(wildcards)["search"]]

    def searched_variant(self, wildcards: Any) -> dict[str, Any]:
        """Return what a search starts from: values that are searched don't count."""
        settings = self.variant(wildcards)
        for key in self._space(wildcards):
            listed = isinstance(settings[key], list)
            settings[key] = [None] * len(settings[key]) if listed else None
        return settings

    def search(self, wildcards: Any) -> dict[str, Any]:
        """Return what a search does."""
        keys = ("objective", "max_epochs", "factor")
        settings = {key: self.plan.config["cnn"]["search"][key] for key in keys}
        return settings | {"space": self._space(wildcards), "seed": self.plan.config["seed"]}

    def winner(self, wildcards: Any) -> str | list[str]:
        """Return the hyper-parameters that a search found, if the variant is searched."""
        if not self._variant(wildcards)["search"]:
            return []
        return self.plan.layout.winner(wildcards.split, f"cnn/{wildcards.variant}")

    def copies(self, wildcards: Any) -> str | list[str]:
        """Return the masked copies that a variant is trained on, if it is."""
        copied = self.plan.augmentation(self._variant(wildcards)) == "copies"
        return self.plan.layout.augmented(wildcards.split) if copied else []

    def copied_shards(self, wildcards: Any) -> list[str]:
        """Return what the masked copies lie in."""
        return self.masked_shards(wildcards) if self.copies(wildcards) else []

    def weights(self, wildcards: Any) -> str | list[str]:
        """Return the weights file that a variant starts from, if it does."""
        variant, folder = self._variant(wildcards), self.plan.config["transfer"]["folder"]
        pretrained = variant["architecture"] == "finetuned"
        return (weights_file(variant, folder) or []) if pretrained else []

    def pretrained(self, wildcards: Any) -> str | list[str]:
        """Return the .keras file that a variant starts from, if it does."""
        network = self._variant(wildcards).get("network", "")
        return network if network.endswith(".keras") else []

    # Learners on feature matrices, and ensembles

    @property
    def feed_forward(self) -> dict[str, Any]:
        """What the training of every feed-forward network depends on."""
        settings = self.plan.config["ffnn"]
        return {key: value for key, value in settings.items() if key not in ("features", "units")}

    def features_of_network(self, wildcards: Any) -> str:
        """Return the feature matrix that a feed-forward network takes."""
        networks = {one.own_name: one for one in self.plan.of_family("ffnn")}
        if wildcards.units not in networks:
            known = ", ".join(networks) or "none"
            raise GenreflowError(f"no network ffnn/{wildcards.units} is run; there are {known}")
        return self.plan.layout.features(networks[wildcards.units].matrix)

    def classifier(self, wildcards: Any) -> dict[str, Any]:
        """Return what the fit of a classifier depends on."""
        shared = self.plan.config["classify"]
        weight = shared["class_weight"]
        return self._section("classify", "folds", "within_folds", "fit_on") | {
            "grid": shared["grids"][wildcards.classifier],
            "class_weight": None if weight == "none" else weight,
            "seed": self.plan.config["seed"],
        }

    def classifier_memory(self, wildcards: Any, attempt: int) -> int:
        """Return the memory that the fit of a classifier gets at an attempt [MB].

        `classifiers.classify` refuses what would need more than `MAX_TRACKS` rows.
        """
        family = split_names.family(wildcards.split)
        tracks = feasibility.learned_from(self.plan.config, family, self.plan.genres)
        rows = min(estimators.square(wildcards.classifier, tracks, 0), MAX_TRACKS)
        # All threads share the square, and each has a fold's cut out of it.
        squares = 1 + self.plan.config["classify"]["threads"]
        return (6000 + int(8e-6 * rows**2 * squares)) * attempt

    def shares(self, wildcards: Any) -> list[float]:
        """Return the shares of variance for which components of features are asked."""
        shares = self.plan.config["classify"]["features"].get(wildcards.features, [])
        return [share for share in shares if share != "all"] or [0.99]

    def pca(self, wildcards: Any) -> str | list[str]:
        """Return the components that a classifier starts from, if they are found beforehand."""
        if wildcards.pca == "all" or self.plan.config["classify"]["within_folds"]:
            return []
        return self.plan.layout.pca(wildcards.split, wildcards.features)

    def members(self, wildcards: Any) -> list[str]:
        """Return the predictions of the members of an ensemble."""
        ensemble = self.plan.learners[f"ensemble/{wildcards.ensemble}"]
        members = [self.plan.learners[name] for name in ensemble.members]
        return self.plan.predictions(members, [wildcards.split])

    def how(self, wildcards: Any) -> str:
        """Return how an ensemble combines its members."""
        return self.plan.learners[f"ensemble/{wildcards.ensemble}"].how

    # Tables and figures

    def predictions(self, wildcards: Any) -> list[str]:
        """Return all predictions."""
        self.require_corpus()
        return self.plan.predictions(self.plan.learners.values())

    def predictions_of_family(self, wildcards: Any) -> list[str]:
        """Return all predictions on the splits of a family."""
        names = self.plan.splits_of(wildcards.family)
        return self.plan.predictions(self.plan.learners.values(), names)

    def histories_of_family(self, wildcards: Any) -> list[str]:
        """Return the histories of all networks on the splits of a family."""
        names = self.plan.splits_of(wildcards.family)
        return [one.history for one in self.plan.fitted(self.plan.seeded, names)]

    def scores(self, wildcards: Any) -> list[str]:
        """Return the scores of the feed-forward networks."""
        self.require_corpus()
        return [one.scores for one in self.plan.fitted(self.plan.of_family("ffnn"))]

    def fits(self, wildcards: Any) -> list[str]:
        """Return what the table of classifiers is made from: best parameters and predictions."""
        self.require_corpus()
        fitted = self.plan.fitted(self.plan.of_family("classify"))
        return [one.best for one in fitted] + [one.predictions for one in fitted]

    def first_split(self, wildcards: Any) -> str:
        """Return the first split of a family."""
        return self.plan.splits_of(wildcards.family)[0]

    def decompositions(self, wildcards: Any) -> list[str]:
        """Return the components of each feature matrix on the first split of a family."""
        first = self.first_split(wildcards)
        return [self.plan.layout.pca(first, name) for name in self.plan.pca_shares]

    def reported(self, wildcards: Any) -> list[str]:
        """Return what the report shows beside tables and figures."""
        layout = self.plan.layout
        images = [layout.clip_length, layout.spectrograms, *self.spectrogram_shards(wildcards)]
        return [
            layout.tracks,
            layout.excluded,
            layout.summary,
            *map(layout.without_features, self.gathered),
            *map(layout.split, self.plan.splits),
            *self.predictions(wildcards),
            *(images if self.plan.reads_audio else []),
            *map(
                layout.features, sorted({one.matrix for one in self.plan.learners.values()} - {""})
            ),
        ]

    # Latency, bundles

    def timed_predictions(self, wildcards: Any) -> list[str]:
        """Return the predictions of those that are timed: the first split's and seed's."""
        self.require_corpus()
        return [
            self.plan.fitted([one], self.plan.splits[:1])[0].predictions for one in self.plan.timed
        ]

    def timed_models(self, wildcards: Any) -> list[str]:
        """Return the models of those that are timed."""
        return [self.plan.models([one])[0] for one in self.plan.timed]

    def timed_features(self, wildcards: Any) -> list[str]:
        """Return the features of those that are timed, and their networks."""
        return self.plan.features_of(self.plan.timed)

    @property
    def choice(self) -> dict[str, Any]:
        """How the learner that is used for predictions is chosen, as `choice.marked` takes it.

        Empty where no audio is looked at, so that none can be predicted.
        """
        if not self.plan.reads_audio:
            return {}
        named = self.plan.config["predict"]["learner"]
        return {"split": self.plan.splits[0], "name": named, "seen": self.plan.seeing_validation}

    @property
    def candidates(self) -> list[Learner]:
        """The learners of which one is bundled: all of them, or the one that is named."""
        named, there = self.plan.config["predict"]["learner"], self.plan.learners
        if named and named not in there:
            why = self.plan.left_out.get(named, f"there are {', '.join(there)}")
            raise GenreflowError(f"predict.learner: {named} is not run; {why}")
        if not self.plan.reads_audio:
            for name in (name for one in there.values() for name in one.sets):
                self.plan.sets[name].feature_set.require_audio()
        return [there[named]] if named else list(there.values())

    def candidate_predictions(self, wildcards: Any) -> list[str]:
        """Return the predictions by which a learner is chosen: of all folds, unless it is named."""
        self.require_corpus()
        first, *others = self.plan.splits
        if not self.plan.config["predict"]["learner"]:
            family = split_names.family(first)
            folds = [first, *(one for one in others if split_names.family(one) == family)]
            return self.plan.predictions(self.candidates, folds)
        return self.plan.predictions(self.candidates, [first])

    def candidate_members(self, wildcards: Any) -> list[str]:
        """Return the predictions of all members of the ensembles that may be bundled."""
        members = [one for one in self.plan.with_members(self.candidates) if not one.members]
        return self.plan.predictions(members, self.plan.splits[:1])

    def candidate_models(self, wildcards: Any) -> list[str]:
        """Return the models of all that may be bundled."""
        return self.plan.models(self.plan.with_members(self.candidates))

    def candidate_features(self, wildcards: Any) -> list[str]:
        """Return the features of all that may be bundled, and their networks."""
        return self.plan.features_of(self.plan.with_members(self.candidates))

    def described(self, some: Sequence[Learner]) -> dict[str, dict[str, Any]]:
        """Return what bundles and latency must know of learners, as plain values."""
        keys = ("name", "title", "model", "matrix", "members", "prediction")
        kept = ({key: asdict(one)[key] for key in keys} for one in some)
        return {one["name"]: one for one in kept}
