import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.evaluation import uncertainty
from made.artists import drawn_corpus
from scipy import stats
from statsmodels.stats.proportion import proportion_confint


def manifest(artists, albums=None, duplicates=None):
    ids = [f"{number:06d}" for number in range(len(artists))]
    nothing = [""] * len(ids)
    columns = {"track_id": ids, "artist_id": artists, "album_id": albums or nothing}
    return pd.DataFrame(columns | {"duplicate_of": duplicates or nothing})


def wilson(accuracy, count):
    return pytest.approx(proportion_confint(accuracy * count, count, method="wilson"))


class TestArtists:
    def test_albums_and_audio_join_artists_and_unknown_ones_stand_alone(self):
        tracks = manifest(
            ["a", "b", "b", "", "", "c", "d"], ["", "1", "", "1", "", "", ""], [""] * 6 + ["000005"]
        )
        found = uncertainty.artists_of(tracks["track_id"], tracks)
        assert found.tolist() == [0, 1, 1, 1, 2, 3, 3]
        # Of the tracks that are asked for alone, in their order.
        some = tracks["track_id"][[3, 0, 2]]
        assert uncertainty.artists_of(some, tracks).tolist() == [0, 1, 2]

    def test_nothing_known_is_not_the_same_as_each_of_its_own(self):
        tracks = manifest(["", ""])
        assert uncertainty.artists_of(tracks["track_id"], tracks) is None
        assert uncertainty.artists_of(tracks["track_id"], None) is None
        apart = uncertainty.artists_of(tracks["track_id"], manifest(["a", "b"]))
        assert apart.tolist() == [0, 1]
        assert not uncertainty.grouped(apart) and not uncertainty.grouped(None)
        assert uncertainty.grouped(np.array([0, 0, 1]))

    def test_a_track_that_the_corpus_lacks_is_named(self):
        with pytest.raises(GenreflowError, match=r"track 000002 .* run the workflow again"):
            uncertainty.artists_of(pd.Series(["000001", "000002"]), manifest(["a", "a"]))


class TestInterval:
    def test_is_wilsons_where_nothing_groups_the_tracks(self):
        right = np.array([1, 0, 1, 1, 0.5])
        for artists in (None, np.arange(5)):
            assert uncertainty.interval(right, artists) == wilson(0.7, 5)

    def test_of_artists_that_are_all_right_or_all_wrong_is_that_of_so_many_artists(self):
        right, artists = np.repeat([1] * 12 + [0] * 4, 3), np.repeat(np.arange(16), 3)
        # One artist less, for the accuracy is estimated; and Student's for the normal quantile.
        count = 15 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 15)) ** 2
        assert uncertainty.interval(right, artists) == wilson(0.75, count)
        shuffled = np.random.default_rng(0).permutation(48)
        same = uncertainty.interval(right[shuffled], 7 * artists[shuffled])
        assert same == pytest.approx(uncertainty.interval(right, artists))

    def test_of_unequal_artists_equals_the_formula_written_out(self):
        right = np.array([1, 1, 1, 1, 0, 0.5, 0, 0, 1])
        artists = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3])
        accuracy, variance = right.mean(), 0
        for one in range(4):
            own = right[artists == one]
            residual = sum(own) - accuracy * len(own)
            variance += residual**2 / (1 - len(own) / 9) / 9**2
        freedom = 81 / (16 + 4 + 4 + 1) - 1
        shrunk = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, freedom)) ** 2
        count = accuracy * (1 - accuracy) / variance * shrunk
        assert uncertainty.interval(right, artists) == wilson(accuracy, count)

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_all_alike_leave_a_width(self, value):
        artists = np.repeat(np.arange(16), 3)
        low, high = uncertainty.interval(np.full(48, value), artists)
        assert 0 <= low < high <= 1 and (high if value else 1 - low) == 1
        assert 0.2 < high - low < 0.25

    def test_one_artist_says_nothing(self):
        assert uncertainty.interval(np.ones(9), np.zeros(9, int)) == pytest.approx((0, 1), abs=1e-6)

    def test_is_never_narrower_than_wilsons(self):
        # Each artist is half right: less variance than of independent tracks.
        right, artists = np.tile([0.0, 1.0], 20), np.repeat(np.arange(20), 2)
        assert uncertainty.interval(right, artists) == wilson(0.5, 40)

    def test_agrees_with_a_bootstrap_where_artists_are_many(self):
        right, artists = drawn_corpus(400, 0.7, 0.3, np.random.default_rng(3))
        sums, sizes = np.bincount(artists, right), np.bincount(artists)

        def accuracy(sums, sizes, axis):
            return sums.sum(axis) / sizes.sum(axis)

        settings = {"paired": True, "method": "BCa", "n_resamples": 2000, "rng": 0}
        found = stats.bootstrap((sums, sizes), accuracy, **settings).confidence_interval
        ours, of_tracks = uncertainty.interval(right, artists), uncertainty.interval(right)
        assert ours == pytest.approx(found, abs=0.004)
        assert ours[1] - ours[0] > 1.4 * (of_tracks[1] - of_tracks[0])

    @pytest.mark.parametrize(("artists", "accuracy"), [(16, 0.7), (16, 0.9), (50, 0.5)])
    def test_holds_the_truth_as_often_as_it_says(self, artists, accuracy):
        """benchmarks/coverage.py draws more of more kinds."""
        rng = np.random.default_rng(1)
        drawn = [drawn_corpus(artists, accuracy, 0.3, rng) for _ in range(1000)]

        def held(interval):
            ends = np.array([interval(*one) for one in drawn])
            return ((ends[:, 0] <= accuracy) & (accuracy <= ends[:, 1])).mean()

        assert 0.93 <= held(uncertainty.interval) <= 0.97
        assert held(lambda right, _: uncertainty.interval(right)) < 0.85
