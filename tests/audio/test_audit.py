from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from genreflow.audio.audit import audit, clip_length, describe_length, sounding_share
from genreflow.errors import GenreflowError
from made.clips import RATE, music, noise, write_wav

AUDIT = {"sample_rate": RATE, "min_duration": 2.0, "silence_level": -60, "min_sounding": 0.1}


@pytest.fixture
def audited(tmp_path, write):
    """Audit one clip."""

    def audited(samples, log=None, **changes):
        if log is not None:
            (tmp_path / "7.log").write_text(log)
        tracks = [("7", write(samples), tmp_path / "7.log")]
        return audit(tracks, **{**AUDIT, **changes}).iloc[0]

    return audited


def test_a_good_clip_has_no_reason(audited):
    samples = noise(3)
    row = audited(samples)
    assert (row.track_id, row.frames, row.reason, row.detail) == ("7", 24_000, "", "")
    assert row.sha256 == sha256(samples.astype("<i2").tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("log", "detail"),
    [
        ("[in#0 @ 0x55d0c0ffee] Invalid data found\nError opening input\n", "Invalid data found"),
        ("[mp3 @ 0x5] Header missing\nleft out: it takes too long\n", "it takes too long"),
        *((log, "it holds no audio") for log in (None, "", "\n \n")),
    ],
)
def test_a_clip_without_frames_is_unreadable_for_the_reason_in_the_log(audited, log, detail):
    row = audited(np.zeros(0, np.int16), log)
    assert (row.reason, row.frames, row.detail) == ("unreadable", 0, detail)


@pytest.mark.parametrize(("seconds", "reason"), [(1.99, "too short"), (2.0, ""), (2.01, "")])
def test_a_clip_below_the_least_duration_is_too_short(audited, seconds, reason):
    row = audited(noise(seconds))
    assert row.reason == reason
    assert (f"{seconds:.2f} s" in row.detail) == bool(reason)


@pytest.mark.parametrize(("sounding", "reason"), [(0, "silent"), (0.2, "silent"), (0.4, "")])
def test_a_clip_that_hardly_sounds_is_silent(audited, sounding, reason):
    samples = np.concatenate([noise(sounding), np.zeros(round((3 - sounding) * RATE), np.int16)])
    assert audited(samples).reason == reason


@pytest.mark.parametrize(("amplitude", "reason"), [(25, "silent"), (42, "")])
def test_noise_sounds_from_the_level_on(audited, amplitude, reason):
    # -60 dB of 32768 is an RMS of 32.8.
    square = np.where(np.arange(3 * RATE) % 20 < 10, amplitude, -amplitude).astype(np.int16)
    assert audited(square).reason == reason


@pytest.mark.parametrize("level", [-32767, 20000])
def test_what_does_not_change_has_no_sound(audited, level):
    row = audited(np.full(3 * RATE, level, np.int16), silence_level=-90)
    assert row.reason == "silent"


@pytest.mark.parametrize(("share", "reason"), [(0.95, "unreadable"), (0.5, "")])
def test_samples_that_were_no_numbers_are_none(audited, share, reason):
    samples = np.concatenate([np.full(round(3 * share * RATE), -32768, np.int16), noise(3)])
    row = audited(samples[: 3 * RATE])
    assert (row.reason, "no numbers" in row.detail) == (reason, bool(reason))


def test_equal_sounds_have_equal_hashes(tmp_path, write):
    sounds = {"1": noise(3), "2": noise(3), "3": noise(3)[::-1]}
    tracks = [(name, write(s, f"{name}.wav"), tmp_path / "none.log") for name, s in sounds.items()]
    one, two, three = audit(tracks, **AUDIT)["sha256"]
    assert one == two != three


def test_the_damaged_wav_of_many_is_named(tmp_path, write):
    good, bad = write(noise(3), "1.wav"), write(noise(3), "2.wav")
    bad.write_bytes(bad.read_bytes()[:-100])
    with pytest.raises(GenreflowError, match=r"2\.wav"):
        audit([("1", good, tmp_path / "1.log"), ("2", bad, tmp_path / "2.log")], **AUDIT)


def naive_share(samples, rate, level):
    block = rate // 10
    sounding = []
    for start in range(0, len(samples), block):
        values = [int(sample) / 32768 for sample in samples[start : start + block]]
        values += [0] * (block - len(values))
        mean = sum(values) / block
        rms = (sum((value - mean) ** 2 for value in values) / block) ** 0.5
        sounding.append(rms > 0 and 20 * np.log10(rms) >= level)
    return sum(sounding) / len(sounding)


@pytest.mark.parametrize("length", [1, 799, 800, 801, 12_345])
@pytest.mark.parametrize("level", [-90, -60, -40, -20])
def test_the_share_that_sounds_equals_a_plain_count(length, level):
    rng = np.random.default_rng(length)
    envelope = 10 ** np.repeat(rng.uniform(-4.5, 0, length // 500 + 1), 500)[:length]
    samples = (32767 * envelope * rng.uniform(-1, 1, length)).astype(np.int16)
    share = sounding_share(samples, sample_rate=RATE, level=level)
    assert share == pytest.approx(naive_share(samples, RATE, level))


def test_nothing_does_not_sound():
    assert sounding_share(np.zeros(0, np.int16), sample_rate=RATE, level=-60) == 0


@pytest.fixture
def length(tmp_path):
    """Find the length of clips of some seconds; None can't be used."""

    def length(*shards, **settings):
        for number, seconds in enumerate(shards):
            rows = [
                ("unreadable", 0) if one is None else ("", round(one * RATE)) for one in seconds
            ]
            table = pd.DataFrame(rows, columns=["reason", "frames"])
            table.to_csv(tmp_path / f"{number}.csv", index=False)
        paths = [tmp_path / f"{number}.csv" for number in range(len(shards))]
        return clip_length(
            paths, **{"sample_rate": RATE, "duration": 29.7, "fit": True, **settings}
        )

    return length


@pytest.mark.parametrize(
    ("shards", "seconds", "shorter"),
    [
        # A twentieth may be shorter.
        ([[3.04] * 19, [3.06] * 19, [1.0, 2.0]], 3.0, 2),
        ([[1.0] * 3, [3.0] * 37], 1.0, 0),
        ([[29.7] * 40, [None, 0.5]], 29.7, 1),
        ([[0.02] * 4], 0.1, 4),
        ([[None]], 29.7, 0),
    ],
)
def test_images_get_a_length_that_nearly_all_clips_have(length, shards, seconds, shorter):
    found = length(*shards)
    assert (found["seconds"], found["shorter"]) == (seconds, shorter)
    assert found["clips"] == sum(one is not None for shard in shards for one in shard)


def test_a_length_that_is_set_stays_and_what_is_repeated_is_counted(length):
    found = length([2.0, 5.0], [10.0, None], duration=10.0, fit=False)
    assert found == {"seconds": 10.0, "clips": 3, "shorter": 2, "repeated": pytest.approx(1.3 / 3)}
    assert "2 of 3 clips are shorter" in describe_length(found)
    assert "43.3% of all" in describe_length(found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inverted.wav", "cancel each other out"),
        ("nearly.mp3", "cancel each other out"),
        ("late.wav", "nothing sounds in its first 6 s"),
        ("quiet.wav", ""),
        ("mono.wav", ""),
    ],
)
def test_the_cause_of_silence_is_named(tmp_path, name, expected):
    """Channels that cancel out in the mix, wholly or nearly; music that comes late."""
    sound = music(22050, 5)
    channels = {
        "inverted.wav": np.stack([sound, -sound], axis=1),
        "nearly.mp3": np.stack([sound, -0.999 * sound], axis=1),
        "late.wav": np.concatenate([np.zeros(6 * 22050), sound]),
        "quiet.wav": 0.01 * np.stack([sound, sound[::-1]], axis=1),
        "mono.wav": sound,
    }
    soundfile.write(tmp_path / name, channels[name], 22050)
    wav = Path(write_wav(tmp_path / name, tmp_path / "clip.wav", rate=RATE, seconds=5))
    limits = {"min_duration": 2, "silence_level": -60, "min_sounding": 0.01}
    sources = {"a": str(tmp_path / name)}
    found = audit([("a", wav, tmp_path / "log")], sample_rate=RATE, sources=sources, **limits)
    (row,) = found.to_dict("records")
    assert row["reason"] == ("silent" if expected else "") and expected in row["detail"]
