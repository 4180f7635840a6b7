"""What a list of tracks allows: which split `auto` means, what is refused, what is left out."""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from genreflow import split_names
from genreflow.corpus import groups
from genreflow.corpus.tracks import PARTS, Track
from genreflow.errors import GenreflowError
from genreflow.learners import estimators
from genreflow.learners.learner import Learner
from genreflow.limits import MAX_TRACKS

Config = Mapping[str, Any]

ENOUGH = 100
"""Test tracks from which on the 95 % interval of an accuracy is at most 10 points to each side."""

FOLDS = 5
"""Folds of the cross-validation that `auto` takes, where each genre fills so many."""

LEAST = 4
"""What `auto` needs of each genre: one to test, one to validate, two to learn from."""

NAMED = 20
"""So many genres are named that a split can't be made of; of further ones the number is said."""


# --- tracks by genre ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Genres:
    """The tracks of each genre, and the groups of artists and albums that they are in."""

    tracks: dict[str, list[Track]]
    group: dict[str, int]

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> "Genres":
        """Group tracks."""
        by_genre = defaultdict(list)
        for track in tracks:
            by_genre[track.genre].append(track)
        joined = groups.joined(
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


def choose(config: Config, genres: Genres) -> tuple[list[str], str]:
    """Put what ``auto`` stands for into the names of the splits; say what and why."""
    names = list(config["splits"])
    if split_names.AUTO not in names:
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
    chosen = dict.fromkeys(name if one == split_names.AUTO else one for one in names)
    return list(chosen), f"splits: auto means {name} here{why}"


def refuse(
    config: Config, asked: Mapping[str, Learner], families: Sequence[str], genres: Genres
) -> None:
    """Raise if a genre can't fill the parts of a split, or the folds of the grid search."""
    # Two to learn from, where the grid search divides them once more.
    grids = any(one.classifier for one in asked.values())
    learn = 2 if grids and config["classify"]["fit_on"] == ["training"] else 1
    problems = []
    if "official" in families and (problem := _without_part(config, genres)):
        problems.append(problem)
        families = [name for name in families if name != "official"]
    for genre in genres.tracks:
        for name in families:
            if needed := _needed(config, name, genre, genres, learn):
                problems.append(_too_few(config, name, genre, genres, needed))
                break
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems[:NAMED])
        more = f"\n  - and {len(problems) - NAMED:,} more genres" if len(problems) > NAMED else ""
        raise GenreflowError(f"these tracks can't be split as asked for:\n{listed}{more}")


def _without_part(config: Config, genres: Genres) -> str:
    """Say that more tracks have no part than an audit may leave out; "" if not."""
    without = sum(one.split not in PARTS for own in genres.tracks.values() for one in own)
    if without <= config["corpus"]["max_excluded"] * len(genres):
        return ""
    return (
        f"{without:,} of the {len(genres):,} tracks have no part in a split of the corpus itself, "
        "which `splits: [official]` asks for: use `splits: [auto]`, or say the parts in a table "
        "(corpus.kind: table, column split)"
    )


def _needed(config: Config, name: str, genre: str, genres: Genres, learn: int) -> str:
    """Say what a genre lacks for a split, or "" if it may have enough, so many to learn from."""
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


def _needed_by_parts(genre: str, genres: Genres) -> str:
    """Say what a genre lacks in the corpus's own split."""
    parts = ("training", "validation", "test") if genres.own_validation else ("training", "test")
    missing = [part for part in parts if not genres.count(genre, part)]
    if missing:
        return f"none of them is in the {missing[0]} part of the corpus's own split"
    if not genres.own_validation and genres.count(genre, "training") < 2:
        return "at least 2 independent ones are needed in the training part, 1 of them to validate"
    return ""


def _too_few(config: Config, name: str, genre: str, genres: Genres, needed: str) -> str:
    corpus, tracks = config["corpus"], genres.tracks[genre]
    if corpus["kind"] == "folder":
        where = os.path.commonpath([os.path.dirname(one.path) for one in tracks])  # noqa: PTH120
        out = "merge it with another genre, or take the folder out"
    else:
        where = corpus["table"] if corpus["kind"] == "table" else ""
        out = "give them another genre, or take them out"
    where = where and f" ({where})"
    groups = genres.count(genre)
    joined = f", in {_count(groups, 'group')} by artist and album" if groups < len(tracks) else ""
    auto = split_names.AUTO in config["splits"]
    other = "" if auto or groups < LEAST else "ask for `splits: [auto]`, "
    return (
        f"genre {genre!r} has {_count(len(tracks))}{where}{joined}; for the split {name} "
        f"{needed}: add tracks, {other}{out} (corpus.genre_map, corpus.min_tracks)"
    )


def _count(number: int, noun: str = "track") -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


# --- learners ------------------------------------------------------------------------------------


def reasons_against(
    config: Config,
    asked: Mapping[str, Learner],
    families: Sequence[str],
    genres: Genres,
    *,
    lacking: Collection[str] = (),
) -> dict[str, str]:
    """Return which learners can't be made on any split, with the reason.

    Parameters
    ----------
    config
        Complete.
    asked
        The learners, members before ensembles.
    families
        The splits, a cross-validation counting as one.
    genres
        The tracks.
    lacking
        Paths of downloads that aren't there.
    """
    reasons: dict[str, str] = {}
    for name, learner in asked.items():
        if reason := (
            _lacks(learner, lacking)
            or _too_large(config, learner, families, genres)
            or _no_ensemble(config, learner, asked, reasons, families, genres)
        ):
            reasons[name] = reason
    return reasons


def _lacks(learner: Learner, lacking: Collection[str]) -> str:
    absent = [one["path"] for one in learner.downloads if one["path"] in lacking]
    if not absent:
        return ""
    return (
        f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not there: `snakemake fetch`"
        " with the same options downloads what is missing"
    )


def _too_large(config: Config, learner: Learner, families: Sequence[str], genres: Genres) -> str:
    """Say that a classifier's matrix of tracks would be too large on every split."""
    if not learner.classifier:
        return ""
    sizes = [
        estimators.square(learner.classifier, learned_from(config, family, genres), 0)
        for family in families
    ]
    least = min(sizes) * (1 - config["corpus"]["max_excluded"])
    if least <= MAX_TRACKS:
        return ""
    return (
        f"it would need a square matrix of about {min(sizes):,.0f} tracks "
        f"({8e-9 * min(sizes) ** 2:.0f} GB), more than the {MAX_TRACKS:,} that are allowed: use "
        "svm-linear, logistic-regression or gradient-boosting"
    )


def learned_from(config: Config, family: str, genres: Genres) -> float:
    """Estimate the number of tracks that classifiers learn from on a split."""
    fit_on, share = config["classify"]["fit_on"], config["split"]["validation"]
    if family == "official" and genres.own_validation:
        listed = Counter(one.split for own in genres.tracks.values() for one in own)
        return sum(listed[part] for part in fit_on)
    rest = sum(_outside_test(config, family, genre, genres) for genre in genres.tracks)
    held = len(genres) * share if family == "grouped" else rest * share
    return {"training": rest - held, "validation": held}.get("".join(fit_on), rest)


def _outside_test(config: Config, family: str, genre: str, genres: Genres) -> float:
    """Estimate how many tracks of a genre are outside the test part."""
    count = len(genres.tracks[genre])
    if family == "official":
        return sum(one.split != "test" for one in genres.tracks[genre])
    if family in split_names.SINGLE:
        return count * (1 - config["split"]["test"])
    (folds,) = map(int, re.findall("x([0-9]+)$", family))
    return count * (1 - 1 / folds)


def _no_ensemble(
    config: Config,
    ensemble: Learner,
    asked: Mapping[str, Learner],
    reasons: Mapping[str, str],
    families: Sequence[str],
    genres: Genres,
) -> str:
    """Say why an ensemble can't be made; "" if it may be."""
    for member in ensemble.members:
        if member in reasons:
            return f"its member {member} is left out: {reasons[member]}"
    if ensemble.how != "stack":
        return ""
    seen = [member for member in ensemble.members if asked[member].learns_from_validation]
    if seen:
        return (
            f"a stack is fitted on validation, from which {seen[0]} learns too "
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


def _fewest_validated(config: Config, family: str, genres: Genres) -> tuple[float, str]:
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
