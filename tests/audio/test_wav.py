import numpy as np
import pytest
import soundfile
from genreflow.audio.wav import read_wav
from genreflow.errors import GenreflowError
from made.clips import RATE, noise


def test_samples_come_back_as_they_were(write):
    samples = noise(1)
    read = read_wav(write(samples), sample_rate=RATE)
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, samples)


def test_a_wav_without_frames_is_empty(write):
    assert len(read_wav(write(np.zeros(0, np.int16)), sample_rate=RATE)) == 0


@pytest.mark.parametrize("lost", [1, 2, 1000, 15_990])
def test_a_wav_that_was_cut_off_is_refused(write, lost):
    path = write(noise(1))
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(GenreflowError, match=r"7\.wav.*delete it"):
        read_wav(path, sample_rate=RATE)


@pytest.mark.parametrize(
    ("channels", "form", "found"),
    [
        (1, {"rate": 44100}, "44100 Hz"),
        (1, {"subtype": "PCM_24"}, "PCM_24"),
        (1, {"subtype": "FLOAT"}, "FLOAT"),
        (2, {}, "2 channel"),
    ],
)
def test_another_form_is_refused(write, channels, form, found):
    samples = np.stack([noise(1)] * channels, axis=1)
    with pytest.raises(GenreflowError, match=rf"7\.wav: expected 8000 Hz.*{found}"):
        read_wav(write(samples, **form), sample_rate=RATE)


@pytest.mark.parametrize("form", ["FLAC", "AU", "VOC", "MAT5"])
def test_libsndfile_sees_nothing_but_wavs(write, monkeypatch, form):
    path = write(noise(1), format=form)
    monkeypatch.setattr(soundfile, "SoundFile", None)
    with pytest.raises(GenreflowError, match=r"7\.wav: not a readable WAV"):
        read_wav(path, sample_rate=RATE)


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"text, not a WAV" * 100])
def test_what_is_no_wav_is_refused(tmp_path, content):
    path = tmp_path / "7.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        GenreflowError, match=r"7\.wav: (not a readable WAV|can't be read .*No such file)"
    ):
        read_wav(path, sample_rate=RATE)
