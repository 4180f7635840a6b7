"""Features of a corpus: from clips to shards, matrices, and several side by side."""

import json
import threading

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
from genreflow.errors import GenreflowError
from genreflow.features import (
    fma_tables,
    handcrafted,
    image_networks,
    matrices,
    shards,
    source_clips,
    spectrograms,
)
from genreflow.features.feature_set import Part
from made import networks
from made.networks import write_image_shard, write_keras

SETTINGS = {"features": ["mfcc", "zcr"], "rates": "native", "duration": 2.0}
HANDCRAFTED = Part("handcrafted", "handcrafted", "", SETTINGS).feature_set()
SHAPE = (16, 40)
CUTS = {"conv": (14 * 38 * 4, 40), "pool": (4, 40)}
"""Size of each cut, and the parameters up to it."""
RNG = np.random.default_rng(0)
IMAGES = {
    f"{shard}{n}": RNG.integers(0, 256, SHAPE, dtype=np.uint8)
    for shard, count in (("a", 11), ("b", 3))
    for n in range(count)
}
STACKED = np.stack(list(IMAGES.values()))


def gathered(folder, paths, output=""):
    """Return the matrix of shards, and why tracks are not in it."""
    found = {"matrix": folder / f"{output}.h5", "left_out": folder / f"{output}.left_out.csv"}
    count = shards.gather(paths, output, **found)
    matrix = matrices.read_matrix(found["matrix"])
    assert count == len(matrix.track_ids)
    return matrix, pd.read_csv(found["left_out"], index_col=0)["reason"].to_dict()


# --- from audio


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Write two clips that can be used, one that is too short and one that is no audio."""
    folder = tmp_path_factory.mktemp("clips")
    for name, seconds in (("1", 3), ("2", 1), ("short", 0.1)):
        noise = 0.1 * RNG.normal(size=int(22050 * seconds))
        soundfile.write(folder / f"{name}.wav", noise, 22050)
    (folder / "text.wav").write_text("no audio")
    return {name: folder / f"{name}.wav" for name in ("1", "2", "short", "text")}


def write_sounds(path, clips, names):
    found = HANDCRAFTED.clips(names, [clips[one] for one in names], sample_rate=0)
    shards.write(path, HANDCRAFTED, found)
    return path


def test_shards_of_audio_become_a_matrix_and_a_table(tmp_path, clips):
    paths = [
        write_sounds(tmp_path / f"{number}.h5", clips, names)
        for number, names in enumerate((["1", "text"], ["text"], ["short", "2"]))
    ]
    matrix, left_out = gathered(tmp_path, paths)
    assert matrix.track_ids == ["1", "2"]
    samples, rate = soundfile.read(clips["1"], dtype="float32", frames=2 * 22050)
    expected = handcrafted.extract(samples, rate, features=SETTINGS["features"])
    np.testing.assert_allclose(matrix.x[0], expected, rtol=1e-5, atol=1e-6)
    assert sorted(left_out) == ["short", "text"]
    assert "unreadable" in left_out["text"]
    assert "samples" in left_out["short"]
    assert shards.parts_of(tmp_path / ".h5") == [Part("handcrafted", "handcrafted", "", SETTINGS)]
    assert fma_tables.write_table(tmp_path / ".h5", tmp_path / "features.csv") == 2
    table = pd.read_csv(tmp_path / "features.csv", index_col=0, header=[0, 1, 2])
    np.testing.assert_allclose(table.to_numpy(), matrix.x, rtol=1e-6)
    assert table.index.tolist() == [1, 2]


def test_a_clip_that_is_gone_is_no_clip_without_features(tmp_path, clips):
    gone = clips | {"2": tmp_path / "gone.wav"}
    with pytest.raises(GenreflowError, match=r"gone\.wav was there .* put it back"):
        write_sounds(tmp_path / "0.h5", gone, ["1", "2"])
    assert not (tmp_path / "0.h5").exists()


def test_a_clip_that_changes_while_it_is_read_stops_the_job(tmp_path, clips):
    changing = tmp_path / "changing.wav"
    changing.write_bytes(clips["1"].read_bytes())

    def tracks():
        yield "1", changing
        changing.write_bytes(clips["2"].read_bytes())
        yield "2", clips["2"]

    with pytest.raises(GenreflowError, match=r"changing\.wav changed .* run again"):
        shards.write(tmp_path / "0.h5", HANDCRAFTED, source_clips.sources(tracks(), duration=2))
    assert not (tmp_path / "0.h5").exists()


# --- from images


@pytest.fixture
def images(tmp_path):
    """Return two shards of images, and one without any track."""
    return [
        write_image_shard(
            tmp_path / f"{name}.h5",
            {one: image for one, image in IMAGES.items() if one.startswith(name)},
            SHAPE,
        )
        for name in "abc"
    ]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return what prepares a network, each once."""
    made = {}

    def prepare(engine="auto", scale=1 / 255, name="own", dtype="float16"):
        if (engine, scale, name) not in made:
            folder = tmp_path_factory.mktemp("network")
            network = write_keras(folder / f"{name}.keras", SHAPE, scale=scale)
            made[engine, scale, name] = str(folder / "prepared")
            networks.prepare(folder / "prepared", network, list(CUTS), STACKED, engine=engine)
        network = made[engine, scale, name]
        return Part("keras", "net", "", {"dtype": dtype}, network).feature_set()

    return prepare


def extract(tmp_path, images, features):
    paths = [tmp_path / "features" / f"{n}.h5" for n in range(len(images))]
    counts = [
        shards.write(path, features, features.clips([], [shard], sample_rate=0))
        for path, shard in zip(paths, images, strict=True)
    ]
    return paths, counts


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_images_become_one_matrix_a_cut(tmp_path, images, prepared, dtype, engine):
    features = prepared(engine, dtype=dtype)
    assert features.uses_keras == (engine == "keras")
    paths, counts = extract(tmp_path, images, features)
    assert counts == [11, 3, 0]
    whole = image_networks.build(f"{features.network}/../own.keras", list(CUTS)).on_images(SHAPE)
    for (cut, (size, parameters)), output in zip(CUTS.items(), whole.outputs, strict=True):
        matrix, left_out = gathered(tmp_path, paths[::-1], cut)  # the empty one is the first
        assert (matrix.x.dtype, matrix.x.shape, left_out) == (np.float32, (14, size), {})
        assert sorted(matrix.track_ids) == sorted(IMAGES)
        assert (matrix.columns[0], len(set(matrix.columns))) == (f"net/{cut} 0", size)
        found = np.concatenate([matrix.x[3:], matrix.x[:3]])
        expected = keras.Model(whole.inputs, output).predict(STACKED, verbose=0).reshape(14, -1)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
        assert ((found * expected).sum(1) / lengths).min() > 0.999
        [about] = json.loads(matrix.attributes["about"])
        assert (about["weights"], about["network"]) == ("own.keras", "own.keras")
        assert about["engine"] == ("keras" if engine == "keras" else "openvino")
        assert features.parameters(cut) == parameters
        assert shards.parts_of(tmp_path / f"{cut}.h5") == [
            Part("keras", "net", cut, {"dtype": dtype})
        ]
        with h5py.File(tmp_path / f"{cut}.h5") as file:
            assert file["x"].dtype == dtype


def test_a_corpus_without_any_features_has_an_empty_matrix(tmp_path, images, prepared):
    paths, counts = extract(tmp_path, images[2:], prepared())
    assert counts == [0]
    assert gathered(tmp_path, paths, "pool")[0].x.shape[0] == 0


def test_the_same_input_has_the_same_bytes(tmp_path, images, prepared):
    (first,), _ = extract(tmp_path, images[:1], prepared())
    content = first.read_bytes()
    first.unlink()
    extract(tmp_path, images[:1], prepared())
    assert first.read_bytes() == content


@pytest.mark.parametrize("scale", [1e5, 1e-12])
def test_features_that_float16_cannot_hold_are_refused(tmp_path, images, prepared, scale):
    with pytest.raises(GenreflowError, match=r"track a0: .*net/conv reach .*float16.*to float32"):
        extract(tmp_path, images, prepared(scale=scale))
    assert not any((tmp_path / "features").glob("*"))
    extract(tmp_path, images, prepared(scale=scale, dtype="float32"))


def test_features_that_are_not_finite_are_refused(tmp_path, images, prepared):
    with pytest.raises(GenreflowError, match=r"track a0: .*no usable features"):
        extract(tmp_path, images, prepared("keras", 1e38, dtype="float32"))


def test_images_of_another_shape_are_refused(tmp_path, prepared):
    other = write_image_shard(tmp_path / "other.h5", {"a0": IMAGES["a0"]}, (8, 80))
    with pytest.raises(GenreflowError, match=r"prepared for images of \(16, 40\).*\(8, 80\)"):
        extract(tmp_path, [other], prepared())


@pytest.mark.parametrize("changes", [{"dtype": "float32"}, {"name": "other"}])
def test_shards_of_other_settings_or_networks_are_not_mixed(tmp_path, images, prepared, changes):
    (own, *_), _ = extract(tmp_path, images, prepared())
    (_, other), _ = extract(tmp_path / "other", images[:2], prepared(**changes))
    with pytest.raises(GenreflowError, match=r"other/.*1\.h5 was made with other settings"):
        gathered(tmp_path, [own, other], "pool")


def test_damaged_shards_and_unknown_outputs_are_named(tmp_path, images, prepared):
    paths, _ = extract(tmp_path, images, prepared())
    with pytest.raises(GenreflowError, match=r"no features of fc1, but of conv, pool"):
        gathered(tmp_path, paths, "fc1")
    with pytest.raises(GenreflowError, match=r"a\.h5: not a shard of features"):
        gathered(tmp_path, images, "pool")
    paths[2].write_bytes(paths[2].read_bytes()[:-50])
    with pytest.raises(GenreflowError, match=r"2\.h5: not a whole HDF5 file"):
        gathered(tmp_path, paths, "pool")
    assert not (tmp_path / "pool.h5").exists()


def test_damaged_images_leave_no_features(tmp_path, images, prepared):
    images[0].write_bytes(images[0].read_bytes()[:-100])
    with pytest.raises(GenreflowError, match=r"a\.h5: not a whole HDF5 file"):
        extract(tmp_path, images, prepared())
    with pytest.raises(GenreflowError):
        spectrograms.join(tmp_path / "all.h5", images)
    assert not any((tmp_path / "features").glob("*"))


def test_the_next_batch_is_read_while_one_is_worked_on():
    asked = [threading.Event() for _ in range(4)]

    def read():
        for number, event in enumerate(asked):
            event.set()
            yield number

    seen = []
    for number in shards._ahead(read()):
        if number < 3:
            assert asked[number + 1].wait(10)
        seen.append(number)
    assert seen == [0, 1, 2, 3]


# --- side by side


def matrix(path, ids, values, about):
    x = np.array(values, np.float32)
    part = {"kind": "keras", "name": path.stem, "output": "fc", "settings": {"dtype": "float16"}}
    attributes = {"parts": json.dumps([part]), "about": json.dumps([about])}
    columns = [f"{path.stem} {n}" for n in range(x.shape[1])]
    matrices.write_matrix(path, x, ids, columns, attributes)
    return path


def test_matrices_are_joined_by_track(tmp_path):
    one = matrix(tmp_path / "vgg.h5", ["a", "b"], [[1, 2], [3, 4]], {"weights": "imagenet"})
    two = matrix(tmp_path / "resnet.h5", ["b", "a"], [[30], [10]], {"weights": "random"})
    assert shards.join([two, one], tmp_path / "joined.h5") == 3
    assert shards.join([one, two], tmp_path / "joined.h5") == 3
    joined = matrices.read_matrix(tmp_path / "joined.h5")
    assert joined.track_ids == ["a", "b"]
    np.testing.assert_array_equal(joined.x, [[1, 2, 10], [3, 4, 30]])
    assert joined.columns == ["vgg 0", "vgg 1", "resnet 0"]
    assert [part.name for part in shards.parts_of(tmp_path / "joined.h5")] == ["vgg", "resnet"]
    about = json.loads(joined.attributes["about"])
    assert about == [{"weights": "imagenet"}, {"weights": "random"}]


def test_matrices_are_joined_over_the_tracks_that_all_have(tmp_path):
    one = matrix(tmp_path / "one.h5", ["a", "b"], [[1], [2]], {})
    two = matrix(tmp_path / "two.h5", ["c", "b"], [[3], [4]], {})
    shards.join([one, two], tmp_path / "joined.h5")
    joined = matrices.read_matrix(tmp_path / "joined.h5")
    assert (joined.track_ids, joined.x.tolist()) == (["b"], [[2, 4]])


@pytest.mark.parametrize("limit", [0.2, 0.5])
def test_too_many_tracks_without_features_stop_the_run(tmp_path, clips, limit):
    """Those that can't be used anyway don't count."""
    path = write_sounds(tmp_path / "shard.h5", clips, ["1", "2", "short", "text"])
    found = {"matrix": tmp_path / "m.h5", "left_out": tmp_path / "left_out.csv"}
    used = {"used": ["1", "2", "short"], "max_excluded": limit}
    if limit == 0.5:
        assert shards.gather([path], "", **found, **used) == 2
        return
    with pytest.raises(GenreflowError, match=r"1 of 3 tracks have no features.*max_excluded"):
        shards.gather([path], "", **found, **used)
