"""The hand-crafted features against librosa's functions, one after another."""

import warnings

import librosa
import numpy as np
import pytest
from genreflow.audio.decode import native
from genreflow.errors import GenreflowError
from genreflow.features import analysis, handcrafted
from made import naive_features
from made.clips import DATA, music

pytestmark = [  # what librosa and scipy say about clips that are shorter than they expect
    pytest.mark.filterwarnings("ignore:n_fft"),
    pytest.mark.filterwarnings("ignore:Precision loss"),
    pytest.mark.filterwarnings("ignore:Empty filters"),
    pytest.mark.filterwarnings("ignore:Trying to estimate tuning"),
]
CLIPS = [2, 5, 182, 255, 256, 368, 459, 574, 676, 690]
EXTRA = ("mfcc_delta", "mfcc_delta2", "onset_rate", "tempo")
# FMA's order: the last column of each feature, counted from 0.
LAST_COLUMNS = {
    "chroma_cens": 83,
    "chroma_cqt": 167,
    "chroma_stft": 251,
    "mfcc": 391,
    "rmse": 398,
    "spectral_bandwidth": 405,
    "spectral_centroid": 412,
    "spectral_contrast": 461,
    "spectral_rolloff": 468,
    "tonnetz": 510,
    "zcr": 517,
}


def compare(samples: np.ndarray, rate: int, rates: str, *, atol: float = 1e-6) -> None:
    spectral_rate = rate if rates == "native" else 22050
    expected = naive_features.table(samples, rate, spectral_rate)
    columns = handcrafted.columns()
    assert set(columns) == set(expected)
    values = handcrafted.extract(samples, rate, rates=rates)
    # For a row that does not vary scipy gives no number; FMA's table, older, has these.
    constant = {"skew": 0, "kurtosis": -3}
    expected = np.array([expected[column] for column in columns])
    lacking = np.isnan(expected)
    expected[lacking] = [constant[columns[place][1]] for place in np.flatnonzero(lacking)]
    wrong = ~np.isclose(values, expected, rtol=1e-4, atol=atol)
    assert not wrong.any(), [
        (columns[i], float(values[i]), float(expected[i])) for i in np.flatnonzero(wrong)
    ]


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "fma_clips").exists(), reason="the shared data aren't here")
@pytest.mark.parametrize("rates", ["native", "reference"])
@pytest.mark.parametrize("track", CLIPS)
def test_all_columns_equal_librosas_on_real_clips(track, rates):
    samples, rate = native(DATA / "fma_clips" / f"{track:06d}.mp3")
    assert rate == 44100
    compare(samples, rate, rates)


@pytest.mark.parametrize("rates", ["native", "reference"])
@pytest.mark.parametrize("rate", [12801, 16000, 22050, 44100, 48000, 96000])
def test_all_columns_equal_librosas_at_any_rate(rate, rates):
    compare(music(rate, 1.5), rate, rates)


@pytest.mark.parametrize("length", [4096, 4097, 4607, 20001])
def test_all_columns_equal_librosas_for_short_clips(length):
    compare(music(44100, 1)[:length], 44100, "native", atol=1e-5)


def test_all_columns_equal_librosas_where_there_is_silence():
    samples = music(44100, 3)
    samples[44100 : 2 * 44100] = 0
    compare(samples, 44100, "native", atol=1e-5)


def test_the_rates_differ_in_the_five_features_that_were_not_told_the_rate():
    samples = music(44100, 1)
    native = handcrafted.extract(samples, 44100)
    reference = handcrafted.extract(samples, 44100, rates="reference")
    differing = np.array(handcrafted.columns())[native != reference, 0]
    assert set(differing) == {
        "chroma_stft",
        "spectral_bandwidth",
        "spectral_centroid",
        "spectral_contrast",
        "spectral_rolloff",
    }
    native, reference = (
        handcrafted.extract(music(22050, 1), 22050, rates=rates)
        for rates in ("native", "reference")
    )
    np.testing.assert_array_equal(native, reference)


def test_the_columns_are_fmas():
    columns = handcrafted.columns()
    assert len(columns) == 518
    assert columns == sorted(columns)
    assert {column[0]: place for place, column in enumerate(columns)} == LAST_COLUMNS
    assert columns[0] == ("chroma_cens", "kurtosis", "01")
    assert columns[-1] == ("zcr", "std", "01")
    assert columns[252 + 40 + 19] == ("mfcc", "mean", "20")


def test_more_features_leave_the_518_as_they_are():
    samples = music(44100, 1)
    chosen = (*EXTRA, *handcrafted.FMA_FEATURES)
    columns = handcrafted.columns(chosen)
    assert len(columns) == 518 + 2 * 140 + 2
    assert columns == sorted(columns)
    values = dict(zip(columns, handcrafted.extract(samples, 44100, features=chosen), strict=True))
    np.testing.assert_array_equal(
        [values[column] for column in handcrafted.columns()], handcrafted.extract(samples, 44100)
    )


def test_the_slopes_of_the_mfcc_equal_librosas():
    samples = music(44100, 2)
    mfcc = dict(naive_features.steps(samples, 44100, 44100))["mfcc"]
    for name, order in (("mfcc_delta", 1), ("mfcc_delta2", 2)):
        expected = naive_features.statistics(librosa.feature.delta(mfcc, order=order))
        values = handcrafted.extract(samples, 44100, features=[name])
        expected = np.concatenate([expected[statistic] for statistic in sorted(expected)])
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


def test_tempo_and_onset_rate_equal_librosas_and_the_truth():
    samples = music(44100, 10)
    assert handcrafted.columns(["tempo", "onset_rate"]) == [
        ("onset_rate", "mean", "01"),
        ("tempo", "mean", "01"),
    ]
    onset_rate, tempo = handcrafted.extract(samples, 44100, features=["tempo", "onset_rate"])
    assert tempo == pytest.approx(librosa.feature.tempo(y=samples, sr=44100)[0], rel=1e-6)
    assert onset_rate == pytest.approx(len(librosa.onset.onset_detect(y=samples, sr=44100)) / 10)
    assert tempo == pytest.approx(120, rel=0.03)
    assert onset_rate == pytest.approx(2, abs=0.2)


def test_a_feature_is_one_function_with_its_name_and_dimensions(monkeypatch):
    monkeypatch.setattr(handcrafted, "_REGISTRY", handcrafted.available())

    @handcrafted.feature("peak", 2)
    def peak(clip):
        return np.stack([clip.magnitude.max(axis=1), -clip.magnitude.max(axis=1)])

    columns = handcrafted.columns(["peak"])
    assert len(columns) == 14
    values = dict(
        zip(columns, handcrafted.extract(music(22050, 1), 22050, features=["peak"]), strict=True)
    )
    assert values["peak", "max", "01"] == -values["peak", "min", "02"] > 0


@pytest.mark.parametrize("cents", [-49, -20, 0, 30])
def test_the_tuning_of_a_chord_is_found(cents):
    time = np.arange(44100) / 44100
    pitches = 440 * 2 ** ((np.array([0, 4, 7, 16]) + cents / 100) / 12)
    samples = np.sin(2 * np.pi * pitches[:, None] * time).sum(axis=0).astype(np.float32)
    clip = analysis.Analysis(samples, 44100)
    tuning = analysis.estimate_tuning(clip.magnitude, 44100)
    assert tuning == librosa.estimate_tuning(y=samples, sr=44100)
    assert tuning == pytest.approx(cents / 100, abs=0.05)


@pytest.mark.parametrize("tuning", [-0.5, 0.0, 0.37])
def test_the_constant_q_transform_equals_librosas(tuning):
    samples = music(32000, 1)
    expected = np.abs(librosa.cqt(samples, sr=32000, n_bins=84, tuning=tuning))
    values = analysis.constant_q(samples, 32000, tuning=tuning)
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-6 * expected.max())


def test_silence_gives_finite_numbers_without_warnings():
    everything = sorted(handcrafted.available())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = handcrafted.extract(np.zeros(44100, np.float32), 44100, features=everything)
    assert np.isfinite(values).all()
    values = {
        " ".join(one): x for one, x in zip(handcrafted.columns(everything), values, strict=True)
    }
    assert values["mfcc kurtosis 01"] == -3
    zeros = ("mfcc skew 01", "mfcc std 01", "rmse max 01", "onset_rate mean 01")
    assert [values[name] for name in zeros] == [0] * 4


@pytest.mark.parametrize("level", [1e-7, 1.0])
def test_a_constant_row_has_no_skew(level):
    values = handcrafted.extract(np.full(44100, level, np.float32), 44100, features=["zcr"])
    expected = dict.fromkeys(sorted(handcrafted.STATISTICS), 0) | {"kurtosis": -3}
    assert dict(zip(expected, values, strict=True)) == expected


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(4095, np.float32), 44100, "at least 4096 samples"),
        (np.zeros((44100, 2), np.float32), 44100, "one channel"),
        (np.zeros(44100, np.float32), 11025, "11025 Hz.*at least 12801 Hz"),
        (np.full(44100, np.nan, np.float32), 44100, "not finite"),
        (np.full(44100, 1e30, np.float32), 44100, "too large"),
    ],
)
def test_what_can_not_be_analysed_is_refused(samples, rate, message):
    with pytest.raises(GenreflowError, match=message):
        handcrafted.extract(samples, rate)


def test_unknown_names_are_refused():
    samples = np.zeros(44100, np.float32)
    with pytest.raises(GenreflowError, match=r"loudness.*chroma_cens.*zcr"):
        handcrafted.extract(samples, 44100, features=["zcr", "loudness"])
    with pytest.raises(GenreflowError, match="empty list"):
        handcrafted.columns([])
    with pytest.raises(GenreflowError, match="'native' or 'reference'"):
        handcrafted.extract(samples, 44100, rates="22050")
