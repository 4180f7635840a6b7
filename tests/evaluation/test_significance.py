import itertools

import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.evaluation import significance
from genreflow.learners.predictions import Entry
from made.predictions import (
    GENRES,
    cross_validation,
    drawn_predictions,
    part_of,
    predictions,
    random_predictions,
)
from scipy.stats import binomtest, permutation_test


def learners(hits, split="official"):
    return [
        Entry(name, split, None, random_predictions(number, tracks=400, hit=hit))
        for number, (name, hit) in enumerate(hits.items())
    ]


def named(right, learner="a", seed=None, p=None):
    """Make predictions of test tracks that are right where asked."""
    count = len(right)
    frame = predictions(["Folk"] * count, np.where(right, "Folk", "Hip-Hop"), ["test"] * count)
    if p is not None:
        frame[[f"p_{genre}" for genre in GENRES]] = p
    return Entry(learner, "official", seed, frame)


def only_row(entries):
    (row,) = significance.pairs(entries).to_dict("records")
    return row


def test_every_pair_equals_the_binomial_test_and_holms_correction():
    entries = learners({"a": 0.9, "b": 0.5, "c": 0.45, "d": 0.1})
    table = significance.pairs(entries)
    right = {entry.learner: np.equal(*part_of(entry.predictions)) for entry in entries}
    ranked = sorted(right, key=lambda name: -right[name].mean())
    pairs = list(zip(table["learner"], table["other"], strict=True))
    assert pairs == list(itertools.combinations(ranked, 2))
    for row in table.itertuples():
        ours, theirs = right[row.learner], right[row.other]
        assert row.tracks == len(ours)
        assert row.both_right == (ours & theirs).sum()
        assert row.only_learner == (ours & ~theirs).sum()
        assert row.only_other == (theirs & ~ours).sum()
        expected = binomtest(row.only_learner, row.only_learner + row.only_other).pvalue
        assert row.p == pytest.approx(expected, rel=1e-9)
    # Holm's method, written out.
    largest = 0.0
    for rank, place in enumerate(np.argsort(table["p"], kind="stable")):
        largest = max(largest, min(1, (len(table) - rank) * table["p"][place]))
        assert table["p_corrected"][place] == pytest.approx(largest, rel=1e-12)
    better = np.where(table["p_corrected"] < 0.05, table["learner"], "")
    assert table["better"].tolist() == better.tolist()
    assert set(better) == {"", *ranked[:-1]}


def test_a_difference_that_many_comparisons_explain_is_none():
    # 1 against 8: p = 0.039 on its own
    right = np.ones(40, bool)
    good, bad = right.copy(), right.copy()
    good[0], bad[1:9] = False, False
    pair = [named(good, "good"), named(bad, "bad")]
    alone = only_row(pair)
    assert alone["p"] == alone["p_corrected"] == pytest.approx(20 / 512)
    assert alone["better"] == "good"
    table = significance.pairs([*pair, named(good, "same")])
    assert table.loc[table["other"] == "bad", "p"].tolist() == pytest.approx([20 / 512] * 2)
    assert (table["better"] == "").all()
    assert table.loc[table["other"] == "same", "p"].item() == 1


def test_splits_are_corrected_apart_and_one_learner_is_no_pair():
    three, single = learners({"a": 0.9, "b": 0.5, "c": 0.4}), cross_validation(1, 2)
    two = learners({"a": 0.9, "b": 0.5}, split="lowest-ids")
    table = significance.pairs([*three, *two, *single])
    assert table.groupby("split").size().to_dict() == {"lowest-ids": 1, "official": 3}
    own = table[table["split"] == "official"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, significance.pairs(three))
    none = significance.pairs(single)
    assert none.columns.tolist() == list(significance.COLUMNS)
    assert significance.to_markdown(none) == ""


def test_as_many_runs_right_as_wrong_are_decided_by_the_mean_margin():
    first = named([True, True], seed=1, p=np.array([[0.9, 0.05, 0.05], [0.4, 0.3, 0.3]]))
    second = named([False, False], seed=2, p=np.array([[0.3, 0.4, 0.3], [0.05, 0.9, 0.05]]))
    row = only_row([first, second, named([False, False], "b")])
    assert (row["only_learner"], row["both_right"]) == (1, 0)


def test_repeats_of_a_cross_validation_do_not_multiply_the_tracks():
    theirs = [
        Entry("other", e.split, None, e.predictions) for e in cross_validation(3, 4, seeds=(1,))
    ]
    row = only_row([*cross_validation(3, 4, seeds=(1, 2)), *theirs])
    assert row["tracks"] == 61
    tests = pd.concat([e.predictions[e.predictions["part"] == "test"] for e in theirs])
    share = (tests["genre"] == tests["predicted"]).groupby(tests["track_id"]).mean()
    counts = {row["learner"]: row["only_learner"], row["other"]: row["only_other"]}
    # three runs have a majority always
    assert row["both_right"] + counts["other"] == (share > 0.5).sum()


def test_majorities_do_not_overrule_the_mean_accuracy():
    # the first is right in 2 of 3 runs on 60 of 100 tracks: 40 %; the second always on 45
    often = np.arange(100) < 60
    seeds = [named(often & (np.arange(100) % 3 != seed), seed=seed) for seed in range(3)]
    steady = named(np.arange(100) >= 55, "b")
    row = only_row([*seeds, steady])
    assert row["learner"] == "b"
    assert (row["only_learner"], row["only_other"]) == (40, 55)
    assert row["better"] == ""
    wide = named(np.arange(100) >= 95, "b")
    assert only_row([*seeds, wide])["better"] == "a"


def test_only_common_tracks_are_compared_and_their_genres_must_agree():
    ours, theirs = drawn_predictions(1), drawn_predictions(2)
    tested = theirs.index[theirs["part"] == "test"]
    fewer = Entry("b", "official", None, theirs.drop(index=tested[:10]))
    ours = Entry("a", "official", None, ours)
    assert only_row([ours, fewer])["tracks"] == len(tested) - 10
    other = theirs["genre"][tested[0]] == "Folk"
    theirs.loc[tested[0], "genre"] = "Hip-Hop" if other else "Folk"
    track = theirs["track_id"][tested[0]]
    with pytest.raises(GenreflowError, match=rf"a and b|b and a.*track {track} has different"):
        significance.pairs([ours, Entry("b", "official", None, theirs)])


def test_markdown_lists_what_differs_and_counts_the_others():
    entries = learners({"good|x": 0.9, "b": 0.5, "c": 0.5})
    text = significance.to_markdown(
        significance.pairs(entries, marks={"b": "random weights"}), note="Synthetic."
    )
    assert text.startswith(
        "## Split official\n\n1 of 3 pairs of learners don't differ significantly"
    )
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 2
    assert all(r"good\|x" in line and "< 0.001" in line for line in lines[2:])
    assert sum("b (random weights)" in line for line in lines) == 1
    assert "*Synthetic.*" in text
    alike = [named([True, False], name) for name in "bc"]
    none = significance.to_markdown(significance.pairs(alike))
    assert "1 of 1 pairs of learners don't differ significantly" in none
    assert "|" not in none


class TestByArtist:
    @pytest.mark.parametrize("seed", range(4))
    def test_p_is_that_of_all_choices_of_signs(self, seed):
        ahead = np.random.default_rng(seed).integers(-3, 5, 9)
        sums = [np.dot(signs, ahead) for signs in itertools.product((-1, 1), repeat=9)]
        expected = np.mean(np.abs(sums) >= abs(ahead.sum()))
        assert significance.permutation_p(ahead) == pytest.approx(expected, rel=1e-12)
        settings = {"permutation_type": "samples", "n_resamples": np.inf}
        found = permutation_test((ahead, 0 * ahead), lambda x, y: np.sum(x - y), **settings)
        assert significance.permutation_p(ahead) == pytest.approx(found.pvalue, rel=1e-12)

    def test_of_single_tracks_is_mcnemars(self):
        ahead = np.array([1] * 3 + [-1] * 11 + [0] * 30)
        assert significance.permutation_p(ahead) == pytest.approx(binomtest(3, 14).pvalue)
        assert significance.permutation_p(np.zeros(5, int)) == 1

    def test_of_hundreds_of_artists_is_that_of_drawn_signs(self):
        rng = np.random.default_rng(0)
        ahead = rng.integers(-2, 4, 300)
        ahead = ahead - (ahead.sum() - 50) // 300
        sums = rng.choice([-1, 1], (20000, 300)) @ ahead
        drawn = np.mean(np.abs(sums) >= abs(ahead.sum()))
        assert significance.permutation_p(ahead) == pytest.approx(drawn, abs=0.01)

    def test_tracks_of_an_artist_count_together(self):
        good, bad = np.ones(40, bool), np.arange(40) >= 12
        entries = [named(good, "good"), named(bad, "bad")]
        ids = entries[0].predictions["track_id"]
        columns = {"album_id": "", "duplicate_of": ""}
        # The twelve that only one has right are of two artists, or of twelve.
        for size, groups, p in ((6, 7, 0.5), (1, 40, 2**-11)):
            owners = [str(number // size) for number in range(40)]
            tracks = pd.DataFrame({"track_id": ids, "artist_id": owners}).assign(**columns)
            (row,) = significance.pairs(entries, manifest=tracks).to_dict("records")
            assert (row["tracks"], row["groups"], row["only_learner"]) == (40, groups, 12)
            assert row["p"] == pytest.approx(p)
            name = significance.BY_ARTIST if size > 1 else significance.MCNEMAR
            assert (row["test"], row["better"]) == (name, "" if size > 1 else "good")
        unknown = significance.pairs(entries, manifest=tracks.assign(artist_id=""))
        pd.testing.assert_frame_equal(unknown, significance.pairs(entries))
        assert unknown["groups"].isna().all()
        shown = significance.pairs(entries, manifest=tracks.assign(artist_id=owners[::-1]))
        assert "McNemar's exact test" in significance.to_markdown(shown)
