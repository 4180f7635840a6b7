"""What each rule reads and depends on: inputs and params, as functions of its wildcards.

Params are narrow, so that a key makes stale just what uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genreflow.audio import formats
from genreflow.config.corpus import AUTO, LONGEST
from genreflow.corpus.tracks import Track
from genreflow.errors import GenreflowError
from genreflow.features.feature_set import IMAGE, WAV, FeatureSet, Planned
from genreflow.features.kinds.image_network import weights_file
from genreflow.learners.learner import Learner
from genreflow.plan.plan import Plan

TRAINING = ("batch_size", "epochs", "monitor", "patience")
"""What a variant of the CNN may set otherwise than all others."""


def one_of(names: Iterable[str]) -> str:
    """Return the pattern of some names; of none it matches nothing."""
    return "|".join(names) or "(?!)"


def _as_path(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


@dataclass(frozen=True)
class Stages:
    """The stages of a plan.

    Attributes
    ----------
    plan
        The plan.
    require_corpus
        Called before tracks are asked for; stops where the corpus isn't there.
    """

    plan: Plan
    require_corpus: Callable[[], None] = lambda: None

    def _section(self, name: str, *keys: str) -> dict[str, Any]:
        return {key: self.plan.config[name][key] for key in keys}

    def _of_shards(self, path: Callable[[str], str]) -> list[str]:
        self.require_corpus()
        return [path(shard) for shard in self.plan.shards]

    def _shard(self, wildcards: Any) -> list[Track]:
        self.require_corpus()
        return self.plan.shards[wildcards.shard]

    def results(self, wildcards: Any) -> str:
        """Return the folder below which the place of predictions tells learner, split and seed."""
        return self.plan.layout.root

    # The corpus and its audio

    @property
    def demo_clips(self) -> list[str]:
        """The files of the demo corpus, if that is what runs."""
        demo = self.plan.config["corpus"]["kind"] == "demo"
        return [track.path for track in self.plan.tracks.values()] if demo else []

    @property
    def demo_metadata(self) -> list[str]:
        """The metadata of the demo corpus, if that is what runs."""
        demo = self.plan.config["corpus"]["kind"] == "demo"
        return [self.plan.layout.demo_metadata] if demo else []

    @property
    def demo(self) -> dict[str, Any]:
        """What the demo corpus depends on."""
        keys = ("genres", "clips_per_genre")
        return self._section("corpus", *keys) | {"seed": self.plan.config["seed"]}

    def source(self, wildcards: Any) -> str:
        """Return the audio file of a track."""
        self.require_corpus()
        if wildcards.track not in self.plan.tracks:
            raise GenreflowError(
                f"no track {wildcards.track} in corpus {self.plan.config['corpus']['name']}: its "
                f"ids are in {self.plan.layout.listing}"
            )
        return self.plan.tracks[wildcards.track].path

    @property
    def audio(self) -> dict[str, Any]:
        """Rate of the WAVs and the longest that they and images may be; which may be shorter."""
        audio = self.plan.config["audio"]
        return audio | {"duration": LONGEST if audio["duration"] == AUTO else audio["duration"]}

    @property
    def is_length_found(self) -> bool:
        """Whether the length of images is to fit the clips."""
        return self.plan.config["audio"]["duration"] == AUTO

    def length_of_images(self, wildcards: Any) -> str | list[str]:
        """Return the file that says how long images are, if no setting does."""
        return self.plan.layout.clip_length if self.is_length_found else []

    @property
    def wav(self) -> str:
        """wav.sh's numbers (rate, longest clip, seconds to read) and what ffmpeg may open."""
        audio = self.audio
        longest = round(audio["duration"] * audio["sample_rate"])
        numbers = (audio["sample_rate"], longest, audio["duration"] + 2)
        return " ".join(map(str, (*numbers, *formats.SAFE)))

    @property
    def wavs(self) -> list[str]:
        """The WAVs of all tracks."""
        return list(map(self.plan.layout.wav, self.plan.tracks))

    def wavs_of_shard(self, wildcards: Any) -> list[str]:
        """Return the WAVs of a shard's tracks."""
        return [self.plan.layout.wav(track.track_id) for track in self._shard(wildcards)]

    def ids_of_shard(self, wildcards: Any) -> list[str]:
        """Return the ids of a shard's tracks."""
        return [track.track_id for track in self._shard(wildcards)]

    def sources_of_shard(self, wildcards: Any) -> list[str]:
        """Return the audio files of a shard's tracks."""
        return [track.path for track in self._shard(wildcards)]

    def genres_of_shard(self, wildcards: Any) -> list[str]:
        """Return the genres of a shard's tracks."""
        return [track.genre for track in self._shard(wildcards)]

    def audits(self, wildcards: Any) -> list[str]:
        """Return the audits of all shards."""
        return self._of_shards(self.plan.layout.audit)

    @property
    def audit_of_clips(self) -> dict[str, Any]:
        """What decides whether a clip can be used."""
        return self._section("corpus", "min_duration", "silence_level", "min_sounding")

    @property
    def audit(self) -> dict[str, Any]:
        """What an audit depends on."""
        return self.audit_of_clips | {"sample_rate": self.plan.config["audio"]["sample_rate"]}

    def spectrogram_shards(self, wildcards: Any) -> list[str]:
        """Return the log-mel images of all shards."""
        return self._of_shards(self.plan.layout.spectrogram_shard)

    # Feature sets

    def _planned(self, wildcards: Any) -> Planned:
        return self.plan.sets[wildcards.feature_set]

    def _owner(self, matrix: str) -> tuple[FeatureSet, str]:
        """Return the feature set that a matrix is an output of, and the output."""
        for planned in self.plan.sets.values():
            if matrix in planned.matrices:
                return planned.feature_set, planned.outputs[planned.matrices.index(matrix)]
        raise KeyError(matrix)

    @property
    def prepared(self) -> list[str]:
        """The feature sets whose networks are prepared."""
        return [name for name, one in self.plan.sets.items() if one.preparation is not None]

    @property
    def matrices(self) -> list[str]:
        """The feature matrices that are gathered from shards."""
        sets = [one for one in self.plan.sets.values() if one.feature_set.from_audio]
        return [matrix for one in sets for matrix in one.matrices]

    @property
    def gathered(self) -> list[str]:
        """The feature matrices that learners take, or the parts of which are joined for them."""
        joined = self.plan.config["transfer"]["joined"].items()
        parts_of = {f"joined/{name}": parts for name, parts in joined}
        asked = {one.matrix for one in self.plan.learners.values() if one.matrix}
        parts = (parts_of.get(name, [name]) for name in sorted(asked))
        return list(dict.fromkeys(one for own in parts for one in own))

    def network_file(self, wildcards: Any) -> str | list[str]:
        """Return the file of the network that is prepared, where it isn't one of a library."""
        return self._planned(wildcards).files.get("network", [])

    def weights_file(self, wildcards: Any) -> str | list[str]:
        """Return the file of the weights that a network is prepared with, if there is one."""
        return self._planned(wildcards).files.get("weights", [])

    def preparation(self, wildcards: Any) -> Mapping[str, Any] | None:
        """Return what a network is prepared from."""
        return self._planned(wildcards).preparation

    def preparer(self, wildcards: Any) -> str:
        """Return the module that prepares a network."""
        return self._planned(wildcards).preparer

    def preparing_module(self, wildcards: Any) -> str:
        """Return the module that prepares a network, as a path."""
        return _as_path(self.preparer(wildcards))

    def trial_images(self, wildcards: Any) -> dict[str, Any]:
        """Return what the images are made with that a prepared network takes, if it takes any."""
        takes_images = self._planned(wildcards).feature_set.needs == IMAGE
        return {**self.audio, **self.plan.config["spectrogram"]} if takes_images else {}

    def network(self, wildcards: Any) -> str | list[str]:
        """Return the network that a feature set runs, if it does."""
        return self._planned(wildcards).feature_set.network or []

    def clips_of_shard(self, wildcards: Any) -> str | list[str]:
        """Return what a feature set takes of a shard's tracks."""
        needs = self._planned(wildcards).feature_set.needs
        if needs == IMAGE:
            return self.plan.layout.spectrogram_shard(wildcards.shard)
        if needs == WAV:
            return self.wavs_of_shard(wildcards)
        return self.sources_of_shard(wildcards)

    def sample_rate(self, wildcards: Any) -> int:
        """Return the rate of the WAVs that a feature set takes [Hz]; 0 if it takes none."""
        wavs = self._planned(wildcards).feature_set.needs == WAV
        return self.plan.config["audio"]["sample_rate"] if wavs else 0

    def feature_set(self, wildcards: Any) -> dict[str, Any]:
        """Return what the features of a set depend on."""
        found = self._planned(wildcards).feature_set
        return {"kind": found.kind, "name": found.name, "settings": dict(found.settings)}

    def threads(self, wildcards: Any) -> int:
        """Return the threads that a shard's pass takes."""
        return self.plan.config["transfer"]["threads"] if self.network(wildcards) else 1

    def memory(self, wildcards: Any) -> int:
        """Return the memory that a shard's pass takes [MB]."""
        return self._planned(wildcards).feature_set.memory_mb

    def module(self, wildcards: Any) -> str:
        """Return the module of the kind of a feature set, or of that of a matrix, as a path."""
        by_name = not hasattr(wildcards, "features")
        found = (
            self._planned(wildcards).feature_set if by_name else self._owner(wildcards.features)[0]
        )
        return _as_path(type(found).__module__)

    @property
    def modules(self) -> list[str]:
        """The modules of the kinds of all feature sets, as paths."""
        kinds = {type(one.feature_set).__module__ for one in self.plan.sets.values()}
        return sorted(map(_as_path, kinds))

    def feature_shards(self, wildcards: Any) -> list[str]:
        """Return the shards that a feature matrix is gathered from."""
        name = self._owner(wildcards.features)[0].name
        return self._of_shards(lambda shard: self.plan.layout.feature_shard(name, shard))

    def output(self, wildcards: Any) -> str:
        """Return which output of a feature set a matrix is."""
        return self._owner(wildcards.features)[1]

    @property
    def handcrafted_table(self) -> list[str]:
        """The hand-crafted features in FMA's format, if any learner takes them."""
        used = any("handcrafted" in one.sets for one in self.plan.learners.values())
        return [self.plan.layout.handcrafted_table] if used else []

    def joined_matrices(self, wildcards: Any) -> list[str]:
        """Return the feature matrices that are joined."""
        return list(map(self.plan.layout.features, self.joined(wildcards)))

    def joined(self, wildcards: Any) -> list[str]:
        """Return the names of the feature matrices that are joined, in the order of the columns."""
        return self.plan.config["transfer"]["joined"][wildcards.joined]

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
        return {key: value for key, value in settings.items() if key != "units"}

    def classifier(self, wildcards: Any) -> dict[str, Any]:
        """Return what the fit of a classifier depends on."""
        shared = self.plan.config["classify"]
        weight = shared["class_weight"]
        return self._section("classify", "folds", "within_folds", "fit_on") | {
            "grid": shared["grids"][wildcards.classifier],
            "class_weight": None if weight == "none" else weight,
            "seed": self.plan.config["seed"],
        }

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
        return [
            layout.tracks,
            layout.excluded,
            layout.clip_length,
            layout.summary,
            *map(layout.without_features, self.gathered),
            *map(layout.split, self.plan.splits),
            *self.predictions(wildcards),
            layout.spectrograms,
            *self.spectrogram_shards(wildcards),
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
    def candidates(self) -> list[Learner]:
        """The learners of which one is bundled: all of them, or the one that is named."""
        named, there = self.plan.config["predict"]["learner"], self.plan.learners
        if named and named not in there:
            why = self.plan.left_out.get(named, f"there are {', '.join(there)}")
            raise GenreflowError(f"predict.learner: {named} is not run; {why}")
        return [there[named]] if named else list(there.values())

    def candidate_predictions(self, wildcards: Any) -> list[str]:
        """Return the predictions by which a learner is chosen."""
        self.require_corpus()
        return self.plan.predictions(self.candidates, self.plan.splits[:1])

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
        keys = ("name", "model", "matrix", "members", "prediction", "learns_from_validation")
        kept = ({key: asdict(one)[key] for key in keys} for one in some)
        return {one["name"]: one for one in kept}
