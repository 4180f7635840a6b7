"""What there is in a run: splits, feature sets, learners, tables and figures, by their files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from genreflow import split_names
from genreflow.corpus.tracks import Track, shard_of
from genreflow.features.feature_set import Planned, known_kinds
from genreflow.features.kinds.handcrafted import Handcrafted
from genreflow.features.kinds.table import Table
from genreflow.layout import Fitted, Layout
from genreflow.learners import learner
from genreflow.learners.learner import Learner
from genreflow.names import RANDOM
from genreflow.plan import feasibility

Config = Mapping[str, Any]

_ABOUT = ("title", "kind", "matrix", "features", "learns_from_validation")


def feature_sets(config: Config, layout: Layout) -> dict[str, Planned]:
    """Return the feature sets of a configuration, by name; networks lie where they will be made."""
    settings, kinds = config["handcrafted"], known_kinds()
    published = {"handcrafted": settings["table"]} if settings["source"] == "published" else {}
    tables = published | {f"table/{name}": file for name, file in config["feature_tables"].items()}
    found = [] if published else [Handcrafted.planned(settings)]
    found += [Table.planned(name, file) for name, file in tables.items()]
    for name, backbone in config["transfer"]["backbones"].items():
        planned = kinds[backbone["kind"]].planned(name, backbone, config)
        if planned.preparation is not None:
            made = replace(planned.feature_set, network=layout.network(name))
            planned = replace(planned, feature_set=made)
        found.append(replace(planned, credit=_credit(backbone)))
    return {one.feature_set.name: one for one in found}


def _credit(backbone: Config) -> str:
    """Say under which licence a network is, and who made it."""
    terms = "" if backbone.get("commercial_use", True) else "not for commercial use"
    known = [backbone.get("license"), terms, backbone.get("citation")]
    return "; ".join(filter(None, known))


def downloads(config: Config) -> list[Mapping[str, str]]:
    """Return what has to be downloaded for the learners that are asked for, beside the corpus.

    Returns
    -------
    list of mapping
        As `genreflow.features.feature_set.Planned.downloads`.
    """
    asked = learner.asked_for(config, feature_sets(config, Layout("")))
    found = {file["path"]: file for one in asked.values() for file in one.downloads}
    return list(found.values())


def audio_for(config: Config) -> str:
    """Return a learner that is asked for and needs audio; "" if there are but others.

    Images need audio, and so do features that are computed; a run without learners makes them.
    """
    sets = feature_sets(config, Layout(""))
    asked = [one for one in learner.asked_for(config, sets).values() if not one.members]
    for one in asked:
        if not one.sets or any(sets[name].feature_set.from_audio for name in one.sets):
            return one.name
    return "" if asked else "a run without learners"


@dataclass(frozen=True)
class Plan:
    """What a run makes.

    Attributes
    ----------
    config
        Complete.
    layout
        Where it lies.
    tracks
        Those with a genre and a file, by their ids.
    splits
        The names of all splits.
    choice
        What ``auto`` stands for, and why; "" if it isn't asked for.
    sets
        The feature sets, by name.
    learners
        Those that are made, by name: networks, classifiers, ensembles.
    left_out
        Those that are asked for and can't be made on any split, with the reason.
    about
        What tables and report say of all that are asked for, by name: title, kind, matrix and what
        people call that (features).
    """

    config: Config
    layout: Layout
    tracks: Mapping[str, Track]
    splits: Sequence[str]
    choice: str
    sets: Mapping[str, Planned]
    learners: Mapping[str, Learner]
    left_out: Mapping[str, str]
    about: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, config: Config, tracks: Sequence[Track], *, lacking: Collection[str] = ()) -> Plan:
        """Plan a run.

        Parameters
        ----------
        config
            Complete, as `genreflow.config.complete` returns it.
        tracks
            Those with a genre and a file. Without any, as before a download, nothing is refused,
            and only what is `lacking` is left out.
        lacking
            Paths of `downloads` that aren't there.

        Raises
        ------
        GenreflowError
            If a genre is certain to have too few tracks for a split, whatever an audit leaves out.
            Names all such genres.
        """
        layout = Layout.of_corpus(config["corpus"]["name"])
        genres = feasibility.Genres.of(tracks)
        names, choice = feasibility.choose(config, genres)
        expanded = split_names.expand(names)
        families = list(dict.fromkeys(map(split_names.family, expanded)))
        sets = feature_sets(config, layout)
        asked = learner.asked_for(config, sets)
        if tracks:
            feasibility.refuse(config, asked, families, genres)
        reasons = feasibility.reasons_against(config, asked, families, genres, lacking=lacking)
        return cls(
            config=config,
            layout=layout,
            tracks={track.track_id: track for track in tracks},
            splits=expanded,
            choice=choice,
            sets=sets,
            learners={name: one for name, one in asked.items() if name not in reasons},
            left_out=reasons,
            about={name: {key: getattr(one, key) for key in _ABOUT} for name, one in asked.items()},
        )

    @cached_property
    def genres(self) -> feasibility.Genres:
        """The tracks of each genre."""
        return feasibility.Genres.of(list(self.tracks.values()))

    @cached_property
    def shards(self) -> dict[str, list[Track]]:
        """The tracks of each shard that has some."""
        found = defaultdict(list)
        for track in self.tracks.values():
            found[str(shard_of(track.track_id, self.config["corpus"]["shards"]))].append(track)
        return dict(found)

    @property
    def families(self) -> list[str]:
        """The splits, all folds of a cross-validation as one."""
        return list(dict.fromkeys(map(split_names.family, self.splits)))

    def splits_of(self, family: str) -> list[str]:
        """Return the splits of a family."""
        return [name for name in self.splits if split_names.family(name) == family]

    # Learners

    def of_family(self, *names: str) -> list[Learner]:
        """Return the learners of some families: cnn, ffnn, classify, ensemble."""
        return [one for one in self.learners.values() if one.family in names]

    @property
    def seeded(self) -> list[Learner]:
        """The networks, which are trained once for every seed."""
        return [one for one in self.learners.values() if one.is_seeded]

    def fitted(
        self, some: Iterable[Learner], split_names: Sequence[str] | None = None
    ) -> list[Fitted]:
        """Return what some learners leave, over splits (None for all) and seeds."""
        return [
            self.layout.fitted(split, one.name, seed)
            for one in some
            for split in (self.splits if split_names is None else split_names)
            for seed in (self.config["seeds"] if one.is_seeded else [None])
        ]

    def predictions(
        self, some: Iterable[Learner], split_names: Sequence[str] | None = None
    ) -> list[str]:
        """Return the predictions of some learners, over splits and seeds."""
        return [one.predictions for one in self.fitted(some, split_names)]

    def models(self, some: Iterable[Learner]) -> list[str]:
        """Return what some learners have learned on the first split, over seeds."""
        return [
            fitted.model(one.model)
            for one in some
            for fitted in self.fitted([one], self.splits[:1])
        ]

    def with_members(self, some: Iterable[Learner]) -> list[Learner]:
        """Return learners, and the members of the ensembles among them."""
        names = [name for one in some for name in (one.name, *one.members)]
        return [self.learners[name] for name in dict.fromkeys(names)]

    def features_of(self, some: Iterable[Learner]) -> list[str]:
        """Return the feature matrices of some learners, and the networks behind them."""
        some = list(some)
        matrices = sorted({one.matrix for one in some if one.matrix})
        return [
            *map(self.layout.features, matrices),
            *dict.fromkeys(path for path in self.networks_of(some).values()),
        ]

    def networks_of(self, some: Iterable[Learner]) -> dict[str, str]:
        """Return the networks behind the features of some learners, by their feature sets."""
        names = dict.fromkeys(name for one in some for name in one.sets)
        networks = {name: self.sets[name].feature_set.network for name in names}
        return {name: path for name, path in networks.items() if path}

    def credits_of(self, some: Iterable[Learner]) -> dict[str, str]:
        """Return the licences and makers of networks, as far as they are known."""
        found = {name: self.sets[name].credit for name in self.networks_of(some)}
        return {name: credit for name, credit in found.items() if credit}

    @cached_property
    def reads_audio(self) -> bool:
        """Whether any learner that is asked for needs audio."""
        return bool(audio_for(self.config))

    @property
    def seeing_validation(self) -> list[str]:
        """The learners that learned from the validation part, which can't choose among them."""
        return [one.name for one in self.learners.values() if one.learns_from_validation]

    @property
    def timed(self) -> list[Learner]:
        """The learners that are timed: all single ones that new audio can be predicted by."""
        return [
            one
            for one in self.learners.values()
            if not one.members and all(self.sets[name].feature_set.from_audio for name in one.sets)
        ]

    @property
    def measures_latency(self) -> bool:
        """Whether a run measures how long predictions take."""
        return bool(self.config["latency"]["clips"] and self.timed)

    @property
    def marks(self) -> dict[str, str]:
        """What must stand by the names of learners: which ones rest on random weights."""
        random = [one.matrix or one.name for one in self.learners.values() if one.is_random]
        return dict.fromkeys(random, RANDOM)

    def titles(self, some: Iterable[Learner]) -> dict[str, str]:
        """Return what figures call some learners, by name, with their marks."""
        return {one.name: _marked(one.title, is_random=one.is_random) for one in some}

    @property
    def matrix_titles(self) -> dict[str, str]:
        """What figures call the feature matrices with PCA, by name, with their marks."""
        return {
            one.matrix: _marked(one.features, is_random=one.is_random)
            for one in self.learners.values()
            if one.matrix in self.pca_shares
        }

    @property
    def note(self) -> str:
        """What must stand by every number of this corpus."""
        if self.config["corpus"]["kind"] == "demo":
            return "Synthetic demo corpus: these numbers say nothing about real music."
        return ""

    @property
    def notes(self) -> str:
        """What must stand by the numbers of all learners together."""
        random = (
            "Backbones with random weights have learned nothing: their numbers say nothing about "
            "trained ones."
        )
        return " ".join(filter(None, [self.note, random if self.marks else ""]))

    @property
    def is_fma_small(self) -> bool:
        """Whether the study's numbers were measured on this corpus."""
        corpus = self.config["corpus"]
        own = {"kind": "fma", "subset": "small", "genre_level": "top"}
        return {key: corpus[key] for key in own} == own

    # Tables and figures

    @property
    def has_published(self) -> bool:
        """Whether there are published results to set ours among."""
        return self.is_fma_small and "official" in self.splits

    @property
    def variants(self) -> dict[str, Config]:
        """The settings of the CNNs that are trained, by variant."""
        names = [one.own_name for one in self.of_family("cnn")]
        return {name: self.config["cnn"]["variants"][name] for name in names}

    def augmentation(self, variant: Config) -> str:
        """Return how a variant's training images are augmented: none, copies or online."""
        named = {True: self.config["augment"]["mode"], False: "none"}
        return named.get(variant["augment"], variant["augment"])

    @property
    def searches(self) -> list[tuple[str, str]]:
        """The split and the variant of each search."""
        searched = [name for name, variant in self.variants.items() if variant["search"]]
        return [(split, name) for split in self.splits for name in searched]

    @property
    def curve_pairs(self) -> list[list[str]]:
        """The learners whose learning curves are drawn together, the upper one first."""
        pairs = [[f"cnn/{name}" for name in pair] for pair in self.config["cnn"]["pairs"]]
        return [pair for pair in pairs if self.learners.keys() >= set(pair)]

    @property
    def pca_shares(self) -> dict[str, list[float]]:
        """The shares of variance that are kept, for each feature matrix with PCA."""
        if self.config["classify"]["within_folds"]:
            return {}
        made = {one.name.rpartition("/")[0] for one in self.of_family("classify")}
        found = {
            matrix: [
                share
                for share in shares
                if share != "all" and f"classify/{matrix}/{learner.pca_name(share)}" in made
            ]
            for matrix, shares in self.config["classify"]["features"].items()
        }
        return {matrix: shares for matrix, shares in found.items() if shares}

    @property
    def tables(self) -> list[str]:
        """The tables of a run; one on FFNNs or classifiers only where there are some."""
        there = {
            "comparison": True,
            "ffnn": self.of_family("ffnn"),
            "classify": self.of_family("classify"),
            "latency": self.measures_latency,
            "standing": self.has_published,
        }
        return [
            *[
                self.layout.table(name, ending)
                for name, some in there.items()
                if some
                for ending in ("csv", "md")
            ],
            *map(self.layout.table, ("genres", "calibration", "significance")),
        ]

    @property
    def figures(self) -> list[str]:
        """The figures of a run: one of all learners, and those of each learner."""
        named = [f"{name}/confusion_matrix" for name in self.learners]
        named += [f"{one.name}/learning_curves" for one in self.seeded]
        named += [*map(pair_name, self.curve_pairs), "calibration"]
        named += ["explained_variance"] if self.pca_shares else []
        figure = self.layout.figure
        return [
            figure("accuracy"),
            *([figure("standing")] if self.has_published else []),
            *self.galleries,
            *[figure(split, "cnn", name, "search") for split, name in self.searches],
            *[figure(family, name) for family in self.families for name in named],
        ]

    @property
    def galleries(self) -> list[str]:
        """The galleries of images: of the genres, and of augmentation on the first split."""
        if not self.variants:
            return []
        modes = set(map(self.augmentation, self.variants.values()))
        drawn = {"copies": "masked_copies", "online": "online_augmentation"}
        return [self.layout.figure("genres")] + [
            self.layout.figure(self.splits[0], drawn[mode]) for mode in drawn if mode in modes
        ]


def _marked(title: str, *, is_random: bool) -> str:
    """Return a title with what must stand by the numbers."""
    return f"{title} ({RANDOM})" if is_random else title


def pair_name(pair: Sequence[str]) -> str:
    """Return the name of the figure of a pair: cnn/simple+tuned."""
    return "cnn/" + "+".join(name.partition("/")[2] for name in pair)
