"""What the rules that make clips and features of a corpus read and depend on.

What isn't learned; the rest is in `plan.stages`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genreflow.audio import formats
from genreflow.config.corpus import AUTO, LONGEST
from genreflow.corpus.tracks import Track
from genreflow.errors import GenreflowError
from genreflow.features.feature_set import IMAGE, WAV, FeatureSet, Planned
from genreflow.plan.plan import Plan


def _as_path(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


@dataclass(frozen=True)
class ClipStages:
    """The stages of a plan before anything is learned.

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
        """Return the audits of all shards; none where audio isn't looked at."""
        return self._of_shards(self.plan.layout.audit) if self.plan.reads_audio else []

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

    def _found(self, wildcards: Any) -> FeatureSet:
        """Return the feature set that has a name, or that a matrix is an output of."""
        if hasattr(wildcards, "features"):
            return self._owner(wildcards.features)[0]
        return self._planned(wildcards).feature_set

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
    def tabulated(self) -> list[str]:
        """The feature matrices that are taken from tables."""
        sets = [one for one in self.plan.sets.values() if not one.feature_set.from_audio]
        return [matrix for one in sets for matrix in one.matrices]

    def table_file(self, wildcards: Any) -> str:
        """Return the table that a feature matrix is taken from."""
        self.require_corpus()
        return self.plan.sets[wildcards.features].files["table"]

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
        """Return what the features of a set, or of a matrix, depend on."""
        found = self._found(wildcards)
        return {"kind": found.kind, "name": found.name, "settings": dict(found.settings)}

    def threads(self, wildcards: Any) -> int:
        """Return the threads that a shard's pass takes."""
        return self.plan.config["transfer"]["threads"] if self.network(wildcards) else 1

    def memory(self, wildcards: Any, attempt: int) -> int:
        """Return the memory that a shard's pass, or a table, gets at an attempt [MB]."""
        return self._found(wildcards).memory_mb * attempt

    def module(self, wildcards: Any) -> str:
        """Return the module of the kind of a feature set, or of that of a matrix, as a path."""
        return _as_path(type(self._found(wildcards)).__module__)

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
        """The hand-crafted features in FMA's format, if they are computed for a learner."""
        computed = self.plan.sets["handcrafted"].feature_set.from_audio
        used = any("handcrafted" in one.sets for one in self.plan.learners.values())
        return [self.plan.layout.handcrafted_table] if computed and used else []

    def joined_matrices(self, wildcards: Any) -> list[str]:
        """Return the feature matrices that are joined."""
        return list(map(self.plan.layout.features, self.joined(wildcards)))

    def joined(self, wildcards: Any) -> list[str]:
        """Return the names of the feature matrices that are joined, in the order of the columns."""
        return self.plan.config["transfer"]["joined"][wildcards.joined]
