"""From files to samples: every format, one length, and limits."""

import os
import re
import subprocess
import tracemalloc
from functools import partial

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from genreflow.audio import decode, formats
from genreflow.audio.decode import first_channel, native
from genreflow.audio.resample import resampled
from genreflow.errors import GenreflowError
from made.clips import encode, music


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.1), ("mp3", 0.1)]
)
def test_audio_is_read_at_its_own_rate_and_mixed_down(tmp_path, suffix, tolerance):
    left = music(48000, 2)
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, np.stack([left, np.zeros_like(left)], axis=1), 48000)
    samples, rate = native(path)
    assert rate == 48000
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(len(left), abs=3000)  # MP3 pads
    if suffix != "mp3":
        np.testing.assert_allclose(samples, left / 2, atol=tolerance)
    assert np.std(samples) == pytest.approx(np.std(left) / 2, rel=0.02)


def test_only_the_duration_is_read(tmp_path):
    soundfile.write(tmp_path / "clip.wav", music(22050, 2), 22050)
    assert len(native(tmp_path / "clip.wav", duration=1.5)[0]) == 33075
    assert len(native(tmp_path / "clip.wav", duration=9)[0]) == 44100


@pytest.mark.parametrize("kind", ["none", "folder", "pipe"])
@pytest.mark.parametrize("whole", [native, partial(resampled, sample_rate=22050)])
def test_what_is_no_file_is_refused_and_nobody_waits(tmp_path, whole, kind):
    path = tmp_path / "clip.mp3"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(GenreflowError, match="there is no such file"):
        whole(path)


@pytest.mark.parametrize("whole", [native, partial(resampled, sample_rate=22050)])
def test_files_that_hold_no_audio_are_refused_with_the_reason(tmp_path, whole):
    (tmp_path / "text.mp3").write_text("no music here\n" * 100)
    (tmp_path / "empty.mp3").touch()
    soundfile.write(tmp_path / "header.wav", np.zeros(0), 44100)
    encode(tmp_path / "still.mp4", "-f", "lavfi", "-i", "color=red:size=64x64:duration=1")
    for name in ("text.mp3", "empty.mp3", "header.wav", "still.mp4"):
        with pytest.raises(GenreflowError, match=r"unreadable: \w.{10}") as caught:
            whole(tmp_path / name)
        assert " @ 0x" not in str(caught.value)  # addresses differ from run to run
        assert "whitelist" not in str(caught.value)


def test_a_list_of_other_files_plays_none_of_them(tmp_path):
    soundfile.write(tmp_path / "other.wav", music(22050, 2), 22050)
    (tmp_path / "clip.mp3").write_text("ffconcat version 1.0\nfile other.wav\n")
    with pytest.raises(GenreflowError, match="unreadable"):
        native(tmp_path / "clip.mp3")


def test_decoding_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    """Half an hour of MP3 takes some seconds; how many doesn't matter, so long as it's over one."""
    long = tmp_path / "clip.mp3"
    soundfile.write(long, music(44100, 5), 44100)
    long.write_bytes(long.read_bytes() * 600)
    monkeypatch.setattr(decode, "DECODE_SECONDS", -599)
    with pytest.raises(GenreflowError, match="decoding takes more than 1 s of processor time"):
        native(long)


@pytest.mark.parametrize("whole", [native, partial(resampled, sample_rate=22050)])
def test_a_file_that_claims_to_be_days_long_is_refused(tmp_path, monkeypatch, whole):
    soundfile.write(tmp_path / "clip.flac", music(22050, 3), 22050)
    assert len(whole(tmp_path / "clip.flac")) > 0
    monkeypatch.setattr(decode, "MAX_SECONDS", 2)
    with pytest.raises(GenreflowError, match=r"longer than .* hours"):
        whole(tmp_path / "clip.flac")
    assert len(native(tmp_path / "clip.flac", duration=1)[0]) == 22050


@pytest.mark.parametrize("whole", [native, partial(resampled, sample_rate=22050)])
@pytest.mark.parametrize(("name", "rate", "samples"), [("1Hz.wav", 1, 1500), ("a.flac", 99, 99999)])
def test_a_few_bytes_do_not_become_hours(tmp_path, whole, name, rate, samples):
    soundfile.write(tmp_path / name, np.zeros(samples), rate)
    assert (tmp_path / name).stat().st_size < 5000
    with pytest.raises(GenreflowError, match=r"longer than 0\.17 hours, the most for its size"):
        whole(tmp_path / name)


def test_a_high_rate_has_no_more_samples(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "clip.wav", music(48000, 2), 48000)
    monkeypatch.setattr(decode, "MAX_SAMPLES", 90_000)
    with pytest.raises(GenreflowError, match="longer than"):
        native(tmp_path / "clip.wav")


@pytest.mark.parametrize("rate", [decode.MAX_RATE + 1, 2**31 - 1])
def test_a_rate_that_no_recording_has_is_refused(tmp_path, rate):
    soundfile.write(tmp_path / "clip.wav", music(22050, 2), rate)
    with pytest.raises(GenreflowError, match=rf"its sampling rate is {rate} Hz"):
        native(tmp_path / "clip.wav")


def lengths(path):
    """Return a file's length at its own rate, and at another one, as the WAVs have it [s]."""
    samples, rate = native(path)
    return len(samples) / rate, len(resampled(path, sample_rate=22050)) / 22050


def test_a_file_has_one_length(tmp_path):
    """Whoever joins MP3s, or records through a pipe, gets headers that say too little."""
    for name, seconds in (("first.mp3", 1), ("second.mp3", 3)):
        soundfile.write(tmp_path / name, music(44100, seconds), 44100)
    chained = tmp_path / "chained.mp3"
    chained.write_bytes(b"".join((tmp_path / f"{n}.mp3").read_bytes() for n in ("first", "second")))
    wav = tmp_path / "clip.wav"
    soundfile.write(wav, music(44100, 2), 44100)
    content = bytearray(wav.read_bytes())
    for place in (4, content.find(b"data") + 4):
        content[place : place + 4] = bytes(4)
    wav.write_bytes(content)
    for path, expected in ((chained, 4), (wav, 2)):
        assert lengths(path) == pytest.approx((expected, expected), abs=0.2)
        assert np.diff(lengths(path)) == pytest.approx(0, abs=1e-3)


def test_both_rates_are_of_the_same_stream(tmp_path):
    """A player would take the second stream here, which has more channels."""
    for name, channels in (("one", 1), ("two", 2)):
        level = 0.5 if channels == 1 else 0.01
        sound = level * np.sin(np.arange(44100) / 10)
        soundfile.write(tmp_path / f"{name}.wav", np.stack([sound] * channels, axis=1), 44100)
    inputs = ["-i", tmp_path / "one.wav", "-i", tmp_path / "two.wav", "-map", "0", "-map", "1"]
    both = encode(tmp_path / "both.mka", *inputs, "-c:a", "flac")
    assert np.std(native(both)[0]) > 0.3
    assert np.std(resampled(both, sample_rate=22050)) > 0.3 * 32768


def test_the_first_channel_is_decoded_alone_and_no_more_than_is_asked_for(tmp_path, monkeypatch):
    left = music(22050, 3)
    soundfile.write(tmp_path / "clip.wav", np.stack([left, -left, -left], axis=1), 22050)
    found = first_channel(tmp_path / "clip.wav", seconds=2, rate=22050)
    np.testing.assert_allclose(found, left[: 2 * 22050], atol=1e-4)
    assert len(first_channel(tmp_path / "clip.wav", seconds=9, rate=8000)) == 3 * 8000
    (tmp_path / "text.mp3").write_text("no music here\n" * 100)
    for name in ("text.mp3", "gone.mp3"):
        with pytest.raises(GenreflowError):
            first_channel(tmp_path / name, seconds=2, rate=8000)


def test_decoders_of_films_stay_shut(tmp_path, monkeypatch):
    film = ["-f", "lavfi", "-i", "testsrc=duration=1", "-f", "lavfi", "-i", "sine=duration=1"]
    path = encode(tmp_path / "film.webm", *film)
    audio = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "debug", *formats.SAFE]
    said = subprocess.run([*audio, "-i", path], capture_output=True, text=True).stderr
    assert re.search(r"Codec \(vp\d\) not on whitelist", said)
    assert lengths(path) == pytest.approx((1, 1), abs=0.1)


def encoders():
    """Return, for each ending that ffmpeg can write here, how."""
    return {
        ".mp3": [], ".mp2": [], ".aac": [], ".ac3": [], ".eac3": [], ".m4a": [], ".mp4": [],
        ".m4b": ["-f", "ipod"], ".m4r": ["-f", "ipod"], ".3gp": ["-c:a", "aac"], ".flac": [],
        ".ogg": [], ".oga": [], ".opus": [],
        ".mka": ["-c:a", "flac"], ".weba": ["-f", "webm"], ".webm": [], ".wma": [], ".asf": [],
        ".wav": [], ".wave": ["-f", "wav"], ".w64": [], ".rf64": ["-f", "wav", "-rf64", "always"],
        ".bwf": ["-f", "wav", "-write_bext", "1"], ".aif": [], ".aiff": [],
        ".aifc": ["-f", "aiff", "-c:a", "pcm_alaw"], ".au": [], ".snd": ["-f", "au"], ".caf": [],
        ".wv": [], ".tta": [], ".mpa": ["-f", "mp2"], ".mpga": ["-f", "mp3"],
    }  # fmt: skip


CANT_BE_WRITTEN = {".amr", ".ape", ".dsf", ".mp1", ".mpc", ".spx", ".tak"}


def test_every_ending_is_tried():
    assert set(encoders()) | CANT_BE_WRITTEN == formats.SUFFIXES


@pytest.mark.parametrize("ending", encoders())
def test_what_counts_as_audio_can_be_decoded(tmp_path, ending):
    soundfile.write(tmp_path / "sound.wav", music(44100, 2), 44100)
    path = tmp_path / f"clip{ending}"
    encode(path, "-i", tmp_path / "sound.wav", *encoders()[ending])
    assert lengths(path) == pytest.approx((2, 2), abs=0.15)


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s24le", "pcm_f64le", "adpcm_ms", "adpcm_ima_wav", "alac", "pcm_mulaw"]
)
def test_codecs_of_recorders_can_be_decoded(tmp_path, codec):
    soundfile.write(tmp_path / "sound.wav", music(44100, 2), 44100)
    path = tmp_path / ("clip.m4a" if codec == "alac" else "clip.wav")
    encode(path, "-i", tmp_path / "sound.wav", "-c:a", codec)
    assert lengths(path) == pytest.approx((2, 2), abs=0.15)


def test_decoding_needs_a_program_that_works(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "clip.wav", music(22050, 1), 22050)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/no/ffmpeg")
    for whole in (native, partial(resampled, sample_rate=22050)):
        with pytest.raises(GenreflowError, match="could not run ffmpeg"):
            whole(tmp_path / "clip.wav")


def test_blocks_join_to_the_mean_of_all_channels(tmp_path, monkeypatch):
    sound = 0.3 * np.random.default_rng(0).standard_normal((44100, 5)).clip(-3, 3)
    soundfile.write(tmp_path / "clip.wav", sound, 44100, subtype="FLOAT")
    whole, _ = native(tmp_path / "clip.wav")
    monkeypatch.setattr(decode, "_READ", 1000)
    samples, _ = native(tmp_path / "clip.wav")
    np.testing.assert_allclose(samples, whole, atol=1e-6)
    np.testing.assert_allclose(samples, sound.mean(axis=1), atol=1e-4)


def test_memory_does_not_grow_with_the_channels(tmp_path):
    with soundfile.SoundFile(tmp_path / "clip.wav", "w", 48000, 64, "PCM_16") as file:
        for _ in range(20):
            file.write(np.full((48000, 64), 1000, np.int16))
    tracemalloc.start()
    samples, _ = native(tmp_path / "clip.wav", duration=15)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(samples) == 15 * 48000
    assert peak < 20e6  # all channels are 184 MB
