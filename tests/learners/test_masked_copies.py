import h5py
import numpy as np
import pytest
import soundfile
from genreflow.features.spectrograms import Settings, join, write_shard
from genreflow.learners.masked_copies import draw_masks, masked, silence, write_copies

STUDY = {"frequency_mask": 27, "time_mask": 0.4, "masks": 1, "fill": "mean", "seed": 0}
SHAPE = (128, 300)
SETTINGS = Settings(
    22050, 2.0, n_fft=1024, hop_length=256, n_mels=64, f_min=0, f_max=8000, invert=True
)


# masks


def test_widths_and_positions_are_uniform():
    rng = np.random.default_rng(0)
    drawn = np.array(draw_masks(rng, size=128, widest=27, masks=20_000))
    starts, widths = drawn[:, 0], drawn[:, 1] - drawn[:, 0]
    counts = np.bincount(widths)
    assert len(counts) == 28  # 0 to 27
    assert counts.min() > 0.8 * 20_000 / 28
    assert abs(widths.mean() - 13.5) < 0.2
    assert starts.min() == 0
    assert drawn[:, 1].max() == 128
    for width in (0, 10, 27):
        places = starts[widths == width]
        assert abs(places.mean() - (128 - width) / 2) < 6  # 4 standard errors
        assert abs(places.std() - (128 - width) / np.sqrt(12)) < 4


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("fill", ["mean", "zero"])
@pytest.mark.parametrize("masks", [1, 3])
def test_whole_bands_and_frames_of_the_audio_are_filled(invert, fill, masks):
    frames = 250
    image = np.random.default_rng(1).integers(10, 90, SHAPE).astype(np.uint8)
    image[:, frames:] = silence(invert=invert)
    mean = round(float(image[:, :frames].astype(float).mean()))
    level = mean if fill == "mean" else {False: 0, True: 255}[invert]
    image[image == level] += 1  # nothing else has the level of the masks
    settings = {**STUDY, "masks": masks, "fill": fill, "invert": invert}
    covered = []
    for copy in range(1, 61):
        before = image.copy()
        changed = masked(image, track_id="17", copy=copy, frames=frames, **settings)
        np.testing.assert_array_equal(image, before)
        np.testing.assert_array_equal(changed[:, frames:], changed[:, : SHAPE[1] - frames])
        differs = changed[:, :frames] != image[:, :frames]
        assert set(changed[:, :frames][differs]) <= {level}
        bands, stretches = differs.all(axis=1), differs.all(axis=0)
        np.testing.assert_array_equal(differs, bands[:, None] | stretches)
        assert bands.sum() <= 27 * masks
        assert stretches.sum() <= 100 * masks
        covered.append((bands.sum(), stretches.sum()))
    if masks == 1:
        np.testing.assert_allclose(np.mean(covered, axis=0), [13.5, 50], atol=15)


@pytest.mark.parametrize("change", [{"track_id": "18"}, {"copy": 2}, {"seed": 1}], ids=str)
def test_masks_depend_on_track_copy_and_seed_alone(change):
    image = np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.uint8)
    settings = {**STUDY, "track_id": "17", "copy": 1, "frames": 300, "invert": True}
    first = masked(image, **settings)
    np.testing.assert_array_equal(masked(image, **settings), first)
    assert (masked(image, **{**settings, **change}) != first).any()


# copies


@pytest.fixture
def tracks(tmp_path):
    """Six tracks of noise: one is shorter than a clip."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(6):
        wav = tmp_path / f"{number}.wav"
        samples = (
            rng.standard_normal(22050 if number == 2 else 44100)
            * np.linspace(0.01, 0.3, 2)[number % 2]
        )
        soundfile.write(wav, np.clip(samples, -1, 1), 22050, subtype="PCM_16")
        made.append((f"t{number}", ("Polka", "Ländler")[number % 2], wav))
    return made


def content(path):
    """Read a file of copies: images by track and copy, labels, attributes."""
    with h5py.File(path) as file:
        keys = list(zip(file["track_id"].asstr()[:], file["copy"][:].tolist(), strict=True))
        labels = list(zip(file["genre"].asstr()[:], file["frames"][:].tolist(), strict=True))
        return dict(zip(keys, file["images"][:], strict=True)), labels, dict(file.attrs)


def test_copies_are_a_shard_of_training_tracks_alone(tracks, tmp_path):
    shard, path = tmp_path / "0.h5", tmp_path / "augmented" / "0.h5"
    write_shard(shard, tracks, SETTINGS)
    training = ["t4", "t2", "t1", "elsewhere"]
    settings = {**STUDY, "copies": 2}
    assert write_copies(path, shard, training, **settings) == 6
    images, labels, attributes = content(path)
    assert list(images) == [(track_id, copy) for track_id in ("t1", "t2", "t4") for copy in (1, 2)]
    assert [genre for genre, _ in labels] == ["Ländler", "Ländler", *["Polka"] * 4]
    with h5py.File(shard) as source, h5py.File(path) as file:
        assert [frames for _, frames in labels] == np.repeat(
            source["frames"][[1, 2, 4]], 2
        ).tolist()
        for setting in ("dtype", "chunks", "compression", "compression_opts"):
            assert getattr(file["images"], setting) == getattr(source["images"], setting)
        for (track_id, copy), image in images.items():
            row = int(track_id[1:])
            expected = masked(
                source["images"][row],
                track_id=track_id,
                copy=copy,
                frames=source["frames"][row],
                invert=True,
                **STUDY,
            )
            np.testing.assert_array_equal(image, expected)
        assert attributes == {**source.attrs, **settings}


def test_copies_do_not_depend_on_shard_or_order(tracks, tmp_path):
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    write_shard(one, tracks, SETTINGS)
    write_shard(other, [tracks[number] for number in (5, 3, 1)], SETTINGS)
    for shard, training in ((one, ["t1", "t2", "t5"]), (other, ["t5", "t1"])):
        write_copies(shard.with_suffix(".copies.h5"), shard, training, copies=3, **STUDY)
    ours, theirs = (content(shard.with_suffix(".copies.h5"))[0] for shard in (one, other))
    assert set(theirs) == {key for key in ours if key[0] != "t2"}
    for key, image in theirs.items():
        np.testing.assert_array_equal(image, ours[key])


def test_shards_of_copies_can_be_joined_even_when_one_is_empty(tracks, tmp_path):
    for number, part in enumerate((tracks[:3], tracks[3:])):
        shard = tmp_path / f"{number}.h5"
        write_shard(shard, part, SETTINGS)
        write_copies(tmp_path / f"copies-{number}.h5", shard, ["t4", "t5"], copies=2, **STUDY)
    shards = [tmp_path / "copies-0.h5", tmp_path / "copies-1.h5"]
    assert content(shards[0])[:2] == ({}, [])
    assert join(tmp_path / "copies.h5", shards) == 4
    with h5py.File(tmp_path / "copies.h5") as file:
        np.testing.assert_array_equal(file["images"][:], [*content(shards[1])[0].values()])
