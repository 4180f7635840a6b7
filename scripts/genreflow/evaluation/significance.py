"""Which learners differ by more than chance, on the same test tracks.

Were two learners equally good, it would be chance which of the two has the tracks of an artist
right. The difference of what they have right is then as if a coin were thrown for each artist,
whether what one has right there more than the other counts for it or for the other: the p value
is the share of all such throws that end in as large a difference (a permutation test of pairs:
R. A. Fisher, "The Design of Experiments", 1935, section 21). It is counted exactly, whatever the
number of artists, for differences are whole numbers of tracks.

Where artists aren't known or each has one track, the coin is thrown for each track. That is
McNemar's exact test: of the tracks that only one of two learners has right, each would have as
many as heads and tails of a coin (Q. McNemar, "Note on the sampling error of the difference
between correlated proportions", Psychometrika 12 (2), 1947; for learners: T. G. Dietterich,
"Approximate statistical tests for comparing supervised classification learning algorithms", Neural
Computation 10 (7), 1998).

All pairs of learners of one split are corrected together by Holm's method ("A simple sequentially
rejective multiple test procedure", Scandinavian Journal of Statistics 6 (2), 1979): the chance
that any of the differences called so is none is at most 5 %.

A track counts once, however often it is tested: over seeds and the repeats of a cross-validation a
learner has it right if it has it right in more than half of its runs (as many as not: if the
probability of the true genre exceeds the largest other one in the mean over runs). The means of
probabilities aren't taken as its decision, for that would be an ensemble, which is better than the
learner whose accuracy stands in the tables.

What the tests take for granted and can't see: that artists are independent of each other (where
they aren't known: that tracks are), and that other trainings would end the same. In a
cross-validation the models share most of their training tracks, so that its p values are somewhat
too small (Dietterich, section 3).
"""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_test
from statsmodels.stats.multitest import multipletests

from genreflow.errors import GenreflowError
from genreflow.evaluation import markdown, uncertainty
from genreflow.learners.predictions import Entry, Group, groups, marked

LEVEL = 0.05
"""Corrected p values below it are taken for differences."""

MCNEMAR, BY_ARTIST = "McNemar's exact test", "Permutation by artist"
"""How two learners are tested: by independent tracks, by tracks that artists group."""

COLUMNS = (
    *("split", "learner", "other", "tracks", "groups", "both_right", "only_learner", "only_other"),
    *("test", "p", "p_corrected", "better"),
)
"""Columns of the table of tests."""


def _right(group: Group) -> pd.DataFrame:
    """Return genre and right (bool) of each test track of a learner, by track_id."""
    tracks = group.test.groupby("track_id").agg(
        genre=("genre", "first"), share=("correct", "mean"), margin=("margin", "mean")
    )
    decided = (tracks["share"] > 0.5) | ((tracks["share"] == 0.5) & (tracks["margin"] > 0))
    return pd.DataFrame({"genre": tracks["genre"].astype(str), "right": decided})


def pairs(
    entries: Iterable[Entry],
    *,
    manifest: pd.DataFrame | None = None,
    marks: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Test each two learners of a split against each other.

    The parameters are as for `evaluation.metrics.comparison`.

    Returns
    -------
    pandas.DataFrame
        One row a split and pair of learners, that of the higher test accuracy first, in the
        order of `evaluation.metrics.comparison`; columns `COLUMNS`: tracks (that both were
        tested on), groups (how many artists they are of, NA if unknown), both_right, only_learner,
        only_other (how many tracks), test (`MCNEMAR` or `BY_ARTIST`), p, p_corrected (for all pairs
        of the split), and better: the name of the learner that is, or "" where p_corrected is
        `LEVEL` or more, or where the mean accuracy says otherwise than the majority of runs. No
        row for a split with one learner.

    Raises
    ------
    GenreflowError
        As `learners.predictions.groups` and `uncertainty.artists_of`, or if a track has different
        genres for two learners.
    """
    by_split: dict[str, list[tuple[float, str, pd.DataFrame]]] = {}
    for group in groups(entries):
        accuracy = float(group.test["correct"].mean())
        ours = accuracy, marked(group.learner, marks), _right(group)
        by_split.setdefault(group.split, []).append(ours)
    tables = [
        _tests(split, learners, manifest)
        for split, learners in by_split.items()
        if len(learners) > 1
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _tests(
    split: str, learners: list[tuple[float, str, pd.DataFrame]], manifest: pd.DataFrame | None
) -> pd.DataFrame:
    """Test all pairs of two or more learners of one split, and correct for their number."""
    ranked = sorted(learners, key=lambda learner: (-learner[0], learner[1]))
    accuracy = {name: value for value, name, _ in ranked}
    tested = pd.Series(sorted({track for _, _, own in learners for track in own.index}))
    artists = uncertainty.artists_of(tested, manifest)
    owner = None if artists is None else pd.Series(artists, tested)
    rows = [
        {"split": split, "learner": first, "other": second}
        | _pair(
            ours.join(theirs, how="inner", rsuffix="_other"),
            f"{first} and {second} on {split}",
            owner,
        )
        for (_, first, ours), (_, second, theirs) in combinations(ranked, 2)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"groups": "Int64"})
    table["p_corrected"] = multipletests(table["p"], alpha=LEVEL, method="holm")[1]
    table["better"] = [_better(row, accuracy) for row in table.itertuples()]
    return table


def _pair(common: pd.DataFrame, names: str, owner: pd.Series | None) -> dict[str, object]:
    """Test two learners on the tracks of both, of which the artists may be known."""
    differ = common.index[common["genre"] != common["genre_other"]]
    if len(differ):
        raise GenreflowError(
            f"{names}: track {differ[0]} has different genres. The predictions come from different "
            "versions of the corpus: run the workflow again."
        )
    ours, theirs = common["right"], common["right_other"]
    both, only_ours = int((ours & theirs).sum()), int((ours & ~theirs).sum())
    only_theirs, neither = int((~ours & theirs).sum()), int((~ours & ~theirs).sum())
    artists = None if owner is None else owner.loc[common.index].to_numpy()
    by_artist = uncertainty.grouped(artists)
    if by_artist:
        ahead = (ours.astype(int) - theirs.astype(int)).groupby(artists).sum()
        p = permutation_p(ahead.to_numpy())
    else:
        test = mcnemar_test([[both, only_ours], [only_theirs, neither]], exact=True)
        p = float(test.pvalue)
    return {
        "tracks": len(common),
        "groups": pd.NA if artists is None else len(np.unique(artists)),
        "both_right": both,
        "only_learner": only_ours,
        "only_other": only_theirs,
        "test": BY_ARTIST if by_artist else MCNEMAR,
        "p": p,
    }


def permutation_p(ahead: np.ndarray) -> float:
    """Return the two-sided p value of differences, were the sign of each a throw of a coin.

    `ahead`, int of shape (groups,), is by how many tracks one learner is ahead of the other in each
    group. The p value is the share of all 2 ** groups choices of signs whose sum is as far from 0
    or farther. It is counted by the sums, not by the choices: those of the first groups tell those
    of one more.
    """
    chances = np.ones(1)  # of the sums -total, ..., total
    for size in np.abs(ahead[ahead != 0]):
        more = np.zeros(len(chances) + 2 * size)
        more[: len(chances)] += chances / 2
        more[2 * size :] += chances / 2
        chances = more
    sums = np.arange(len(chances)) - len(chances) // 2
    return min(1.0, float(chances[np.abs(sums) >= abs(ahead.sum())].sum()))


def _better(row, accuracy: Mapping[str, float]) -> str:
    """Return the learner that is shown to be better, "" if neither is."""
    if row.p_corrected >= LEVEL:
        return ""
    ahead = row.only_learner - row.only_other
    agrees = ahead * (accuracy[row.learner] - accuracy[row.other]) > 0
    return (row.learner if ahead > 0 else row.other) if agrees else ""


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


_SHOWN = {
    "learner": ("Learner", markdown.escape),
    "other": ("Other", markdown.escape),
    "tracks": ("Test tracks", str),
    "groups": ("Artists", str),
    "both_right": ("Both right", str),
    "only_learner": ("Only the learner right", str),
    "only_other": ("Only the other right", str),
    "p": ("p", _p),
    "p_corrected": ("p, corrected", _p),
    "better": ("Better", markdown.escape),
}


def to_markdown(table: pd.DataFrame, *, note: str = "") -> str:
    """Write what `pairs` returned for reading: the pairs that differ, and how many don't.

    Markdown as of `markdown.by_split`; "" if there is no pair.
    """
    return markdown.by_split(table, _shown, note) if len(table) else ""


def _shown(rows: pd.DataFrame) -> str:
    differ = rows[rows["better"] != ""]
    said = (
        f"{len(rows) - len(differ)} of {len(rows)} pairs of learners don't differ significantly "
        f"({' or '.join(rows['test'].unique())}, at {LEVEL}, corrected by Holm's method for all "
        "pairs of the split)."
    )
    return f"{said}\n\n{markdown.table(differ, _SHOWN)}" if len(differ) else said
