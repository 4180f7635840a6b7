"""The transfer branch: from log-mel images to feature matrices that classifiers read."""

import h5py
import keras
import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import (
    engines,
    image_networks,
    network_shards,
    spectrograms,
)
from genreflow.features import (
    matrices as feature_table,
)

SHAPE = (16, 40)
CUTS = ["conv", "pool"]
RNG = np.random.default_rng(0)
IMAGES = {
    f"{shard}{n}": RNG.integers(0, 256, SHAPE, dtype=np.uint8)
    for shard, count in (("a", 11), ("b", 3))
    for n in range(count)
}
SOME = np.stack(list(IMAGES.values()))
"""What engines are compared on."""


def image_shard(path, tracks, shape=SHAPE):
    with h5py.File(path, "w") as file:
        file["images"] = np.array([IMAGES[one] for one in tracks], np.uint8).reshape(-1, *shape)
        text = h5py.string_dtype("utf-8")
        file.create_dataset("track_id", data=list(tracks), dtype=text)
        file.create_dataset("genre", data=["rock"] * len(tracks), dtype=text)
        file["frames"] = np.full(len(tracks), shape[1], np.int32)
    return path


def save_network(path, *, scale=1.0, seed=1):
    keras.utils.set_random_seed(seed)
    keras.Sequential(
        [
            keras.Input((*SHAPE, 1)),
            keras.layers.Rescaling(scale),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(2, name="genre"),
        ]
    ).save(path)
    return str(path)


@pytest.fixture
def shards(tmp_path):
    """Return two shards of images, and one without any track."""
    ids = [[one for one in IMAGES if one.startswith(name)] for name in "abc"]
    return [image_shard(tmp_path / f"{n}.h5", one) for n, one in enumerate(ids)]


def prepare(tmp_path, *, cuts=CUTS, name="net", **settings):
    network = save_network(tmp_path / "own.keras", scale=settings.pop("scale", 1 / 255))
    network_shards.prepare(
        tmp_path / name, SOME, network, cuts, weights="own", report=lambda _: None, **settings
    )
    return tmp_path / name


def extract(tmp_path, shards, folder, **settings):
    paths = [tmp_path / "features" / f"{n}.h5" for n in range(len(shards))]
    counts = [
        network_shards.extract_shard(path, shard, folder, **settings)
        for path, shard in zip(paths, shards, strict=True)
    ]
    return paths, counts


def by_keras(tmp_path, cut):
    backbone = image_networks.build(str(tmp_path / "own.keras"), [cut])
    return backbone.on_images(SHAPE).predict(np.stack(list(IMAGES.values())), verbose=0)


@pytest.mark.parametrize("dtype", network_shards.DTYPES)
@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_images_become_one_matrix_a_cut(tmp_path, shards, dtype, engine):
    folder = prepare(tmp_path, engine=engine)
    assert network_shards.uses_keras(folder) == (engine == "keras")
    paths, counts = extract(tmp_path, shards, folder, dtype=dtype)
    assert counts == [11, 3, 0]
    matrices = {cut: tmp_path / "own" / f"{cut}.h5" for cut in CUTS}
    assert network_shards.gather(paths, matrices) == 14
    for cut, (size, parameters) in {"conv": (14 * 38 * 4, 40), "pool": (4, 40)}.items():
        matrix = feature_table.read_matrix(matrices[cut])
        assert matrix.x.dtype == np.float32
        assert matrix.x.shape == (14, size)
        assert matrix.track_ids == list(IMAGES)
        assert (matrix.columns[0], len(set(matrix.columns))) == (f"own.keras/{cut} 0", size)
        expected = by_keras(tmp_path, cut).reshape(14, -1)
        cosine = (matrix.x * expected).sum(1) / (
            np.linalg.norm(matrix.x, axis=1) * np.linalg.norm(expected, axis=1)
        )
        assert cosine.min() > 0.999
        about = matrix.attributes
        assert (about["cut"], about["size"], about["parameters"]) == (cut, size, parameters)
        assert (about["weights"], about["network"]) == ("own.keras", "own.keras")
        assert about["engine"] == ("keras" if engine == "keras" else "openvino")
        with h5py.File(matrices[cut]) as file:
            assert file["x"].dtype == dtype


@pytest.mark.slow
def test_random_weights_are_marked(tmp_path, shards):
    folder = tmp_path / "mobile"
    network_shards.prepare(
        folder, SOME, "MobileNetV2", ["block_1_expand"], weights="random", seed=3
    )
    (path, *_), _ = extract(tmp_path, shards[:1], folder)
    network_shards.gather([path], {"block_1_expand": tmp_path / "x.h5"})
    about = feature_table.read_matrix(tmp_path / "x.h5").attributes
    assert (about["weights"], about["network"], about["seed"]) == ("random", "MobileNetV2", 3)


def test_the_same_input_has_the_same_bytes(tmp_path, shards):
    folder = prepare(tmp_path)
    (first, *_), _ = extract(tmp_path, shards[:1], folder)
    content = first.read_bytes()
    first.unlink()
    extract(tmp_path, shards[:1], folder)
    assert first.read_bytes() == content


@pytest.mark.parametrize("scale", [1e5, 1e-12])
def test_features_that_float16_cannot_hold_are_refused(tmp_path, shards, scale):
    folder = prepare(tmp_path, scale=scale)
    with pytest.raises(GenreflowError, match=r"track a0: .*conv reach .*float16.*to float32"):
        extract(tmp_path, shards, folder, dtype="float16")
    assert not list((tmp_path / "features").iterdir())
    extract(tmp_path, shards, folder, dtype="float32")


def test_features_that_are_not_finite_are_refused(tmp_path, shards):
    folder = prepare(tmp_path, scale=1e38, engine="keras")
    with pytest.raises(GenreflowError, match=r"track a0: .*no usable features"):
        extract(tmp_path, shards, folder, dtype="float32")


def test_images_of_another_shape_are_refused(tmp_path, shards):
    folder = prepare(tmp_path)
    other = image_shard(tmp_path / "other.h5", ["a0"], shape=(8, 80))
    with pytest.raises(GenreflowError, match=r"other\.h5 has images of \(8, 80\).*\(16, 40\)"):
        network_shards.extract_shard(tmp_path / "x.h5", other, folder)


def test_images_to_try_engines_on_are_those_of_music():
    settings = spectrograms.Settings(
        sample_rate=16000,
        duration=4.0,
        n_fft=1024,
        hop_length=512,
        n_mels=32,
        f_min=0,
        f_max=8000,
        invert=True,
    )
    images = network_shards.trial_images(settings)
    assert (images.dtype, images.shape) == (np.uint8, (engines.BATCH_SIZE, *settings.shape))
    assert len({image.tobytes() for image in images}) == len(images)
    # Loud is dark: music has its most energy in the lower half, where the image ends.
    assert images[:, 16:].mean() < images[:, :16].mean()
    np.testing.assert_array_equal(network_shards.trial_images(settings), images)


def test_shards_of_different_networks_are_not_mixed(tmp_path, shards):
    paths, _ = extract(tmp_path, shards, prepare(tmp_path))
    other = prepare(tmp_path, cuts=["pool"], name="other")
    network_shards.extract_shard(paths[1], shards[1], other)
    with pytest.raises(GenreflowError, match=r"1\.h5 was made with other settings"):
        network_shards.gather(paths, {"pool": tmp_path / "pool.h5"})


def test_damaged_shards_and_unknown_cuts_are_named(tmp_path, shards):
    paths, _ = extract(tmp_path, shards, prepare(tmp_path))
    with pytest.raises(GenreflowError, match=r"no features of fc1, but of conv, pool"):
        network_shards.gather(paths, {"fc1": tmp_path / "fc1.h5"})
    with pytest.raises(GenreflowError, match=r"0\.h5: not a shard of backbone features"):
        network_shards.gather(shards, {"pool": tmp_path / "pool.h5"})
    content = paths[2].read_bytes()
    paths[2].write_bytes(content[:-50])
    with pytest.raises(GenreflowError, match=r"2\.h5: not a whole HDF5 file"):
        network_shards.gather(paths, {"pool": tmp_path / "pool.h5"})
    assert not (tmp_path / "pool.h5").exists()


def test_damaged_images_leave_no_features(tmp_path, shards):
    folder = prepare(tmp_path)
    shards[0].write_bytes(shards[0].read_bytes()[:-100])
    with pytest.raises(GenreflowError, match=r"0\.h5: not a whole HDF5 file"):
        extract(tmp_path, shards, folder)
    with pytest.raises(GenreflowError):
        spectrograms.join(tmp_path / "all.h5", shards)
    assert not (tmp_path / "features").exists()


# --- joining


def matrix(path, ids, values, **attributes):
    x = np.array(values, np.float32)
    feature_table.write_matrix(
        path, x, ids, [f"{path.stem} {n}" for n in range(x.shape[1])], attributes
    )
    return path


def test_cuts_are_joined_by_track(tmp_path):
    one = matrix(
        tmp_path / "fc1.h5",
        ["a", "b"],
        [[1, 2], [3, 4]],
        cut="fc1",
        parameters=10,
        weights="imagenet",
        network="VGG16",
    )
    two = matrix(
        tmp_path / "pool.h5",
        ["b", "a"],
        [[30], [10]],
        cut="pool",
        parameters=7,
        weights="random",
        network="ResNet50",
    )
    assert network_shards.join_cuts([one, two], tmp_path / "joined.h5") == 3
    joined = feature_table.read_matrix(tmp_path / "joined.h5")
    assert joined.track_ids == ["a", "b"]
    np.testing.assert_array_equal(joined.x, [[1, 2, 10], [3, 4, 30]])
    assert joined.columns == ["fc1 0", "fc1 1", "pool 0"]
    about = joined.attributes
    assert list(about["cut"]) == ["fc1", "pool"]
    assert (about["size"].tolist(), about["parameters"].tolist()) == ([2, 1], [10, 7])
    assert about["weights"] == "random"  # one is enough to spoil it
    assert "network" not in about


def test_matrices_of_different_tracks_are_not_joined(tmp_path):
    one = matrix(tmp_path / "one.h5", ["a", "b"], [[1], [2]])
    two = matrix(tmp_path / "two.h5", ["a", "c"], [[1], [2]])
    with pytest.raises(GenreflowError, match=r"one\.h5 and .*two\.h5 .*: b is in one"):
        network_shards.join_cuts([one, two], tmp_path / "joined.h5")
