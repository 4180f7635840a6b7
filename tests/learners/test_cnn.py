"""The networks of images. TensorFlow starts once for this module and test_training."""

import dataclasses

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import backend
from genreflow.learners import cnn, training
from made.images import GENRES, SETTINGS, SHAPE, VARIANT, split_of, write_images

ONLINE = {"frequency_mask": 3, "time_mask": 0.2, "masks": 1, "fill": "mean"}
ONLINE |= {"time_shift": 0.5, "gain": 20, "mixup": 0.2}


pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture
def images(tmp_path):
    return write_images(tmp_path / "images.h5")


def fit(
    images,
    *,
    seed=0,
    split=None,
    memory_mb=100,
    variant=VARIANT,
    report=None,
    precision="float32",
    **settings,
):
    """Fit as a job does that has just started."""
    keras.backend.clear_session()
    backend.configure(threads=1, seed=seed, precision=precision)
    return cnn.fit(
        images,
        split_of(range(30)) if split is None else split,
        variant=variant,
        memory_mb=memory_mb,
        seed=seed,
        report=report or (lambda line: None),
        **{**SETTINGS, **settings},
    )


# its input

ROWS = np.array([7, 3, 29, 0, 11, 4, 12])


def batches(images, *, memory, seed=None, batch_size=3):
    with h5py.File(images) as file:
        found = cnn.ImageBatches(
            [file["images"]],
            ROWS,
            np.arange(len(ROWS)),
            batch_size=batch_size,
            memory=memory,
            shuffle_seed=seed,
        )
        epochs = []
        for _ in range(3):
            epochs.append([found[number] for number in range(len(found))])
            found.on_epoch_end()
    return epochs


@pytest.mark.parametrize("seed", [None, 5])
def test_images_from_disk_are_those_held_in_memory(images, seed):
    all_images = h5py.File(images)["images"][:]
    held, read = (batches(images, memory=memory, seed=seed) for memory in (10**9, 0))
    for one, other in zip(held, read, strict=True):
        assert [len(labels) for _, labels in one] == [3, 3, 1]
        for (x, y), (x_read, y_read) in zip(one, other, strict=True):
            np.testing.assert_array_equal(x, x_read)
            np.testing.assert_array_equal(y, y_read)
            assert (x.dtype, x.shape[1:]) == (np.uint8, (*SHAPE, 1))
            np.testing.assert_array_equal(x[..., 0], all_images[ROWS[y]])


def orders(images, seed):
    return [
        [int(label) for _, labels in epoch for label in labels]
        for epoch in batches(images, memory=0, seed=seed)
    ]


def test_a_seed_shuffles_each_epoch_in_its_own_way_and_again_the_same(images):
    shuffled = orders(images, 1)
    assert all(sorted(order) == list(range(7)) for order in shuffled)
    assert len({tuple(order) for order in shuffled}) == 3
    assert orders(images, 1) == shuffled
    assert orders(images, 2) != shuffled
    assert orders(images, None) == [list(range(7))] * 3


def test_only_as_much_as_allowed_is_held_in_memory(images):
    """What isn't held can't be read once the file is closed."""
    size = len(ROWS) * int(np.prod(SHAPE))
    for memory, fits in [(size, True), (size - 1, False)]:
        with h5py.File(images) as file:
            found = cnn.ImageBatches(
                [file["images"]], ROWS, np.arange(7), batch_size=3, memory=memory
            )
        if fits:
            assert len(found[0][0]) == 3
        else:
            with pytest.raises(ValueError):
                found[0]


# training


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Fit on all images, held in memory, by seed 0."""
    return fit(write_images(tmp_path_factory.mktemp("fitted") / "images.h5"))


def assert_equal_weights(one, other):
    for weight, other_weight in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other_weight)


def test_images_that_differ_plainly_are_told_apart(images):
    lines = []
    _, history, predictions = fit(images, report=lines.append, epochs=9, patience=9)
    assert list(history["epoch"]) == list(range(1, 10))
    assert len(lines) == 9
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] / 2
    assert np.mean(predictions["genre"] == predictions["predicted"]) == 1


def test_a_split_may_take_some_tracks_in_any_order_and_has_their_genres(images):
    numbers = [number for number in range(29, -1, -1) if GENRES[number % 3] != "Musette"]
    variant = {**VARIANT, "geometry": "resized"}
    model, _, predictions = fit(images, split=split_of(numbers), variant=variant, epochs=1)
    assert model.output_shape == (None, 2)
    assert [name for name in predictions if name.startswith("p_")] == ["p_Aubade", "p_Zouk"]
    assert list(predictions["track_id"]) == [f"t{number}" for number in numbers]
    assert list(predictions["genre"]) == [GENRES[number % 3] for number in numbers]
    pictures = h5py.File(images)["images"][:][numbers]
    expected = model.predict(pictures[..., None], verbose=0)
    np.testing.assert_allclose(predictions[["p_Aubade", "p_Zouk"]], expected, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_from_memory_or_disk(images, fitted):
    again = fit(images, memory_mb=0)
    assert_equal_weights(fitted[0], again[0])
    for one, other in zip(fitted[1:], again[1:], strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_the_test_part_is_not_learned_from(images, fitted):
    with h5py.File(images, "r+") as file:
        for row in np.flatnonzero(split_of(range(30))["part"] == "test"):
            file["images"][row] = 255 - file["images"][row]
    again, _, predictions = fit(images)
    assert_equal_weights(fitted[0], again)
    assert not np.array_equal(predictions["p_Zouk"], fitted[2]["p_Zouk"])


def test_a_track_without_an_image_is_named(images):
    split = pd.concat([split_of(range(30)), split_of([40, 41])])
    with pytest.raises(GenreflowError, match=r"images\.h5 has no image of track t40 and 1 more"):
        fit(images, split=split)


# an interrupted training


class KilledError(Exception):
    """Stands for a kill after an epoch's checkpoint."""


RESIDUAL = {
    **{key: VARIANT[key] for key in VARIANT if key not in ("geometry", "filters", "kernel_size")},
    "architecture": "residual",
    "width": 2,
    "depth": 1,
    "stages": 1,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup": 0.2,
    "label_smoothing": 0.1,
    "augment": "online",
    "strength": 0.5,
    "online": ONLINE,
    "crop_frames": 32,
}
"""Everything that draws at random or counts steps."""


def interrupted(images, checkpoint, *, after, **settings):
    """Fit, but be killed after an epoch."""

    def report(line):
        if line.startswith(f"epoch {after} "):
            raise KilledError

    with pytest.raises(KilledError):
        fit(images, checkpoint=checkpoint, report=report, **settings)


@pytest.mark.parametrize(
    ("variant", "precision"),
    [
        pytest.param(VARIANT, "mixed_float16", id="simple, half precision"),
        pytest.param(RESIDUAL, "float32", id="residual, all that draws", marks=pytest.mark.long),
    ],
)
def test_an_interrupted_training_ends_as_an_undisturbed_one(images, tmp_path, variant, precision):
    settings = {"variant": variant, "epochs": 4, "patience": 2, "precision": precision}
    undisturbed = fit(images, **settings)
    checkpoint = training.Checkpoint(tmp_path / "checkpoint.npz", "this training")
    interrupted(images, checkpoint, after=1, **settings)
    interrupted(images, checkpoint, after=2, **settings)
    lines = []
    resumed = fit(images, checkpoint=checkpoint, report=lines.append, **settings)
    assert "after epoch 2" in lines[0]
    assert_equal_weights(undisturbed[0], resumed[0])
    for one, other in zip(undisturbed[1:], resumed[1:], strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_training_that_had_ended_is_not_gone_on_with(images, tmp_path):
    settings = {"epochs": 9, "patience": 1, "variant": {**VARIANT, "learning_rate": 0.5}}
    undisturbed = fit(images, **settings)
    last = len(undisturbed[1])
    assert last < 9  # stopped early
    checkpoint = training.Checkpoint(tmp_path / "checkpoint.npz", "this training")
    interrupted(images, checkpoint, after=last, **settings)
    lines = []
    resumed = fit(images, checkpoint=checkpoint, report=lines.append, **settings)
    assert lines == []
    assert_equal_weights(undisturbed[0], resumed[0])
    pd.testing.assert_frame_equal(undisturbed[1], resumed[1], check_exact=True)


@pytest.fixture(scope="module")
def left_over(tmp_path_factory):
    """Return the bytes of the checkpoint that an interrupted training leaves."""
    folder = tmp_path_factory.mktemp("left_over")
    checkpoint = training.Checkpoint(folder / "checkpoint.npz", "this training")
    interrupted(write_images(folder / "images.h5"), checkpoint, after=2)
    return checkpoint.path.read_bytes()


@pytest.mark.parametrize(
    ("of", "kept"), [("another training", 1), ("this training", 0.5), ("this training", 0)]
)
def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(
    images, tmp_path, fitted, left_over, of, kept
):
    checkpoint = training.Checkpoint(tmp_path / "checkpoint.npz", of)
    checkpoint.path.write_bytes(left_over[: round(kept * len(left_over))])
    again = fit(images, checkpoint=checkpoint)
    assert_equal_weights(fitted[0], again[0])


# copies


def write_copies(path, images, track_ids):
    """Write two copies of some tracks' images, each with a level of its own."""
    with h5py.File(images) as file, h5py.File(path, "w") as copies:
        ids = list(file["track_id"].asstr()[:])
        rows = [ids.index(track_id) for track_id in track_ids]
        copies["images"] = np.repeat(file["images"][:][rows], 2, axis=0)
        copies["track_id"] = np.repeat(track_ids, 2).astype(object)
        copies["genre"] = np.repeat(file["genre"].asstr()[:][rows], 2).astype(object)
        copies["frames"] = np.full(2 * len(rows), SHAPE[1], np.int32)
    return path


def training_ids():
    split = split_of(range(30))
    return split["track_id"][split["part"] == "training"].tolist()


def test_copies_are_trained_on_and_on_nothing_else(images, tmp_path):
    copies = write_copies(tmp_path / "copies.h5", images, training_ids())
    split = split_of(range(30))
    with cnn.open_split(images, split, memory_mb=100, copies=copies) as opened:
        for memory in (opened.memory, 0):
            batches = dataclasses.replace(opened, memory=memory).batches(
                ["training"], batch_size=7, copies=True, shuffle_seed=3
            )
            pictures, labels = (np.concatenate(x) for x in zip(*batches, strict=True))
            assert len(labels) == 3 * 18
            for genre, label in zip(sorted(GENRES), range(3), strict=True):
                top = 5 * GENRES.index(genre)
                band = pictures[labels == label][:, top : top + 5]
                assert (band >= 180).all()  # a copy has its track's genre
        validation = opened.batches(["validation"], batch_size=100)[0][1]
        assert len(validation) == 6


def test_a_copy_of_a_test_track_is_refused(images, tmp_path):
    copies = write_copies(tmp_path / "copies.h5", images, [*training_ids(), "t14"])
    assert split_of(range(30)).set_index("track_id").loc["t14", "part"] == "test"
    with pytest.raises(GenreflowError, match=r"copies\.h5.*training part, t14"):
        fit(images, copies=copies, variant={**VARIANT, "augment": "copies"})


# settings of variants


def test_crops_lie_everywhere_in_training_and_in_the_middle_in_validation(images):
    with cnn.open_split(images, split_of(range(30)), memory_mb=100) as opened:
        whole = {y: x for x, y in zip(opened.datasets[0][:], range(30), strict=True)}
        dataset = opened.batches(["training"], batch_size=18, crop=20, shuffle_seed=1)
        rows = opened.rows[opened.parts == "training"]
        starts = set()
        for _ in range(12):
            pictures = dataset[0][0][..., 0]
            assert pictures.shape == (18, SHAPE[0], 20)
            for picture in pictures:
                found = [
                    start
                    for row in rows
                    for start in range(SHAPE[1] - 20 + 1)
                    if (whole[row][:, start : start + 20] == picture).all()
                ]
                assert len(found) == 1
                starts |= set(found)
            dataset.on_epoch_end()
        assert starts == set(range(31))
        fixed = opened.batches(["validation"], batch_size=6, crop=20, crop_starts=[15])[0][0]
        rows = opened.rows[opened.parts == "validation"]
        np.testing.assert_array_equal(fixed[..., 0], [whole[row][:, 15:35] for row in rows])


@pytest.mark.parametrize(("crops", "starts"), [(1, [15]), (2, [0, 30]), (4, [0, 10, 20, 30])])
def test_crops_of_a_clip_are_spread_evenly(crops, starts):
    assert cnn.crop_starts(50, 20, crops) == starts


def test_the_prediction_of_a_clip_is_the_mean_of_its_crops(images):
    variant = {**RESIDUAL, "crop_frames": 20, "crops": 3, "label_smoothing": 0}
    model, _, predictions = fit(images, variant=variant, epochs=1)
    pictures = h5py.File(images)["images"][:][..., None]
    parts = [model.predict(pictures[:, :, s : s + 20], verbose=0) for s in (0, 15, 30)]
    names = [f"p_{genre}" for genre in sorted(GENRES)]
    np.testing.assert_allclose(predictions[names], np.mean(parts, axis=0), atol=1e-5)


def test_a_prediction_reads_each_image_once_for_all_its_crops(images):
    """It read and held all images anew for each crop: 10 GB for the 8,000 of FMA small."""

    class Counted:
        def __init__(self, dataset):
            self.dataset, self.shape, self.dtype = dataset, dataset.shape, dataset.dtype
            self.reads = []

        def __len__(self):
            return len(self.dataset)

        def read_direct(self, to, source, place):
            self.reads.append(source)
            self.dataset.read_direct(to, source, place)

    variant = {**RESIDUAL, "crop_frames": 20, "crops": 3}
    model = keras.Sequential([keras.layers.Input((SHAPE[0], 20, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(len(GENRES), activation="softmax"))
    with cnn.open_split(images, split_of(range(30)), memory_mb=100) as opened:
        counted = Counted(opened.datasets[0])
        cnn.predict(model, dataclasses.replace(opened, datasets=[counted]), variant, batch_size=8)
        assert set(counted.reads) == set(opened.rows)
        # Keras looks at the first batches beforehand.
        assert len(counted.reads) < 1.5 * len(opened.rows)


def test_crops_as_long_as_an_image_are_the_image(images):
    longer = fit(images, variant={**RESIDUAL, "crop_frames": 51, "crops": 3}, epochs=1)
    whole = fit(images, variant={**RESIDUAL, "crop_frames": 0}, epochs=1)
    pd.testing.assert_frame_equal(longer[2], whole[2])


def test_fewer_bands_and_less_range_are_seen(images):
    variant = {**VARIANT, "mel_bands": 8, "dynamic_range": 0.5}
    model, _, _ = fit(images, variant=variant, epochs=1)
    assert model.input_shape == (None, *SHAPE, 1)
    assert model.get_layer("simple").input_shape == (None, 8, SHAPE[1], 1)
    seen = keras.Model(model.input, model.get_layer("mel_bands").output)
    pictures = h5py.File(images)["images"][:4][..., None].astype(np.float32)
    stretched = np.clip(pictures / 0.5, 0, 255)
    pairs = stretched.reshape(4, 8, 2, SHAPE[1], 1).mean(axis=2)
    np.testing.assert_allclose(seen.predict(pictures, verbose=0), pairs, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mel_bands": 5}, "mel_bands: 5 .* 16 bands"),
        ({"kernel_size": 9, "geometry": "resized", "filters": [2] * 6}, "too small for the netw"),
    ],
)
def test_settings_that_do_not_fit_the_images_are_named(images, changes, message):
    with pytest.raises(GenreflowError, match=message):
        fit(images, variant={**VARIANT, **changes})


def test_class_weights_change_what_is_learned(images):
    split = split_of([*range(0, 30, 3), 1, 4, *range(2, 30, 3)])
    plain, weighted = (fit(images, split=split, class_weight=one) for one in ("none", "balanced"))
    assert plain[1]["loss"][0] != weighted[1]["loss"][0]
