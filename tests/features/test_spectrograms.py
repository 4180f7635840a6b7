import shutil
from dataclasses import asdict, replace

import h5py
import librosa
import numpy as np
import pytest
import soundfile
from genreflow.errors import GenreflowError
from genreflow.features.spectrograms import LogMel, Settings, join, open_images, write_shard
from made import clips
from made.clips import DATA

STUDY = Settings(
    22050, 29.7, n_fft=2048, hop_length=512, n_mels=128, f_min=0, f_max=8000, invert=True
)
SMALL = replace(STUDY, duration=2.0)


def music(seconds, rate=22050):
    return (clips.music(rate, seconds) * 32767).astype(np.int16)


def librosa_image(samples, settings):
    """Make the image by librosa's documented calls; also return its number of columns."""
    y = samples[: settings.max_samples].astype(np.float32) / 32768
    mel = librosa.feature.melspectrogram(
        y=y,
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        n_mels=settings.n_mels,
        fmin=settings.f_min,
        fmax=settings.f_max,
    )
    level = librosa.power_to_db(mel, ref=np.max)
    image = 255 * np.flipud((level - level.min()) / (level.max() - level.min()))
    return np.round(255 - image if settings.invert else image), level.shape[1]


def assert_equal_images(image, frames, samples, settings):
    expected, columns = librosa_image(samples, settings)
    assert (image.dtype, image.shape, frames) == (np.uint8, settings.shape, columns)
    difference = np.abs(image[:, :frames].astype(float) - expected)
    assert difference.max() <= 2
    assert np.mean(difference <= 1) >= 0.999


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"invert": False},
        {"n_mels": 40},
        {"n_fft": 1024, "hop_length": 256},
        {"n_fft": 4096, "hop_length": 1000},
        {"n_fft": 1023, "hop_length": 300, "n_mels": 64},
        {"f_min": 200.0, "f_max": 5000.0},
        {"f_max": 11025.0},
        {"sample_rate": 16000, "f_max": 8000.0},
        {"duration": 29.7},
    ],
    ids=str,
)
def test_the_image_is_that_of_librosa(changes):
    settings = replace(SMALL, **changes)
    samples = music(settings.duration + 0.3, settings.sample_rate)
    assert_equal_images(*LogMel(settings).image(samples), samples, settings)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_the_images_of_real_clips_are_those_of_librosa():
    assert STUDY.shape == (128, 1280)
    log_mel = LogMel(STUDY)
    files = [*sorted(DATA.glob("fma_clips/*.mp3")), *sorted(DATA.glob("gtzan100/*.00003.wav"))]
    assert len(files) == 20
    for clip in files:
        sound, _ = librosa.load(clip, sr=22050, mono=True, duration=29.7)
        samples = np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)
        assert_equal_images(*log_mel.image(samples), samples, STUDY)


@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.99])
def test_a_short_clip_is_repeated(seconds, invert):
    settings = replace(SMALL, invert=invert)
    samples = music(seconds)
    image, frames = LogMel(settings).image(samples)
    assert_equal_images(image, frames, samples, settings)
    assert frames == 1 + len(samples) // 512 < image.shape[1]
    again = np.arange(frames, image.shape[1]) % frames
    np.testing.assert_array_equal(image[:, frames:], image[:, again])
    assert {image[:, :frames].min(), image[:, :frames].max()} == {0, 255}


def test_low_frequencies_are_at_the_bottom_and_loud_is_dark():
    tone = (10_000 * np.sin(2 * np.pi * 300 * np.arange(44_100) / 22050)).astype(np.int16)
    image, _ = LogMel(SMALL).image(tone)
    row = int(np.argmin(image.mean(axis=1)))
    centres = librosa.mel_frequencies(130, fmin=0, fmax=8000)[1:-1]
    assert 127 - row == np.argmin(np.abs(centres - 300))


@pytest.mark.parametrize(("samples", "frames"), [(np.zeros(44_100), 87), (np.ones(1), 1)])
def test_silence_and_a_single_sample_have_images(samples, frames):
    image, found = LogMel(SMALL).image(samples.astype(np.int16))
    assert found == frames
    if len(samples) > 1:
        assert np.all(image == 255)


@pytest.fixture
def corpus(tmp_path):
    """Write WAVs: two clips, one of them short, and between them one without frames."""
    tracks = []
    for track_id, genre, seconds in [("7", "Rock", 2), ("9", "Rock", 0), ("a-1", "Musette", 0.5)]:
        path = tmp_path / "wav" / f"{track_id}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, music(seconds) if seconds else np.zeros(0, np.int16), 22050)
        tracks.append((track_id, genre, path))
    return tracks


@pytest.fixture
def shards(tmp_path, corpus):
    """Write three shards, the middle one without images."""
    paths = [tmp_path / "corpus" / "shards" / f"{number}.h5" for number in range(3)]
    for path, track in zip(paths, corpus, strict=True):
        write_shard(path, [track], SMALL)
    return paths


def assert_holds_the_corpus(file):
    """Check images, labels and settings of the two clips that can be used."""
    images = file["images"]
    assert (images.shape, images.dtype) == ((2, 128, 87), np.uint8)
    assert list(file["track_id"].asstr()) == ["7", "a-1"]
    assert list(file["genre"].asstr()) == ["Rock", "Musette"]
    assert list(file["frames"]) == [87, 1 + 11025 // 512]
    assert dict(file.attrs) == asdict(SMALL)
    for row, seconds in enumerate([2, 0.5]):
        np.testing.assert_array_equal(images[row], LogMel(SMALL).image(music(seconds))[0])


def test_a_shard_holds_images_labels_and_settings(tmp_path, corpus):
    path = tmp_path / "0.h5"
    assert write_shard(path, corpus, SMALL) == 2
    with h5py.File(path) as file:
        assert_holds_the_corpus(file)
        assert file["images"].chunks == (1, 128, 87)
        assert file["images"].compression


def test_a_shard_may_be_empty(tmp_path, corpus):
    for tracks in ([], corpus[1:2]):
        assert write_shard(tmp_path / "0.h5", tracks, SMALL) == 0
        with open_images(tmp_path / "0.h5") as file:
            assert file["images"].shape == (0, 128, 87)
            assert len(file["track_id"]) == 0


def test_the_same_wavs_give_the_same_bytes(tmp_path, corpus):
    for name in ("one.h5", "two.h5"):
        write_shard(tmp_path / name, corpus, SMALL)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    for name in ("three.h5", "four.h5"):
        join(tmp_path / name, [tmp_path / "one.h5", tmp_path / "two.h5"])
    assert (tmp_path / "three.h5").read_bytes() == (tmp_path / "four.h5").read_bytes()


def test_a_wav_that_is_damaged_or_of_another_rate_is_named_and_leaves_no_shard(tmp_path, corpus):
    with pytest.raises(GenreflowError, match=r"7\.wav: expected 16000 Hz"):
        write_shard(tmp_path / "0.h5", corpus, replace(SMALL, sample_rate=16000))
    wav = corpus[2][2]
    wav.write_bytes(wav.read_bytes()[:-100])
    with pytest.raises(GenreflowError, match=r"a-1\.wav"):
        write_shard(tmp_path / "0.h5", corpus, SMALL)
    assert not list(tmp_path.glob("*.h5"))


def test_joined_shards_follow_each_other(tmp_path, shards):
    joined = tmp_path / "corpus" / "all.h5"
    assert join(joined, shards) == 2
    with open_images(joined) as file:
        assert_holds_the_corpus(file)
    assert join(joined, shards[1:2]) == 0
    with open_images(joined) as file:
        assert file["images"].shape == (0, 128, 87)


def test_joined_shards_can_be_moved_together_and_named_from_any_folder(
    tmp_path, shards, corpus, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    join("corpus/all.h5", [path.relative_to(tmp_path) for path in shards])
    shutil.move("corpus", "moved")
    # A file of the same relative path in the working folder must not stand in for the shard.
    write_shard("shards/0.h5", corpus[2:], SMALL)
    for folder in (tmp_path, "/"):
        monkeypatch.chdir(folder)
        with open_images(tmp_path / "moved" / "all.h5") as file:
            assert_holds_the_corpus(file)


def test_shards_of_other_settings_are_refused(tmp_path, shards, corpus):
    write_shard(shards[2], corpus[2:], replace(SMALL, f_max=4000))
    with pytest.raises(GenreflowError, match=r"2\.h5 was made with other settings"):
        join(tmp_path / "corpus" / "all.h5", shards)
    assert not (tmp_path / "corpus" / "all.h5").exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
def test_a_damaged_shard_is_named(tmp_path, shards, damage):
    if damage == "missing":
        shards[2].unlink()
    else:
        whole = shards[2].read_bytes()
        shards[2].write_bytes({"truncated": whole[:-500], "empty": b"", "text": b"shard"}[damage])
    with pytest.raises(GenreflowError, match=r"2\.h5"):
        join(tmp_path / "corpus" / "all.h5", shards)


def test_another_hdf5_file_and_joined_shards_of_which_one_is_gone_are_refused(tmp_path, shards):
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file["x"] = np.zeros(3)
    # HDF5 itself would give an image of zeros in the place of the one that is gone.
    join(tmp_path / "corpus" / "all.h5", shards)
    shards[2].unlink()
    for path, words in {
        tmp_path / "features.h5": r"features\.h5: not a file of log-mel images",
        tmp_path / "corpus" / "all.h5": r"2\.h5",
    }.items():
        with pytest.raises(GenreflowError, match=words), open_images(path):
            pass
