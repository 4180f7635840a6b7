"""Networks in ONNX as backbones: small ones, made here."""

import hashlib

import h5py
import numpy as np
import onnx
import pytest
import soundfile
import soxr
from genreflow.errors import GenreflowError
from genreflow.features import matrices, network_shards
from genreflow.features.onnx_networks import Network, Settings, extract_images, extract_waveforms
from onnx import TensorProto, helper

RATE = 8000
RNG = np.random.default_rng(0)


def save(path, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(n, k, shape) for n, k, shape in inputs],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture
def filters():
    return RNG.standard_normal((3, 1, 100)).astype(np.float32)


@pytest.fixture
def waveform_network(tmp_path, filters):
    """Return filters over samples: frames (batch, frames, 3), and their maximum (batch, 3)."""
    return save(
        tmp_path / "audio.onnx",
        [
            helper.make_node("Unsqueeze", ["samples", "one"], ["channel"]),
            helper.make_node("Conv", ["channel", "filters"], ["bands"], strides=[50]),
            helper.make_node("Transpose", ["bands"], ["frames"], perm=[0, 2, 1]),
            helper.make_node("ReduceMax", ["frames"], ["loudest"], axes=[1], keepdims=0),
        ],
        [("samples", TensorProto.FLOAT, ["batch", "n"])],
        [("frames", ["batch", "frames", 3]), ("loudest", ["batch", 3])],
        [("filters", filters), ("one", np.array([1]))],
    )


def network(path, **settings):
    settings = {"input": "waveform", "output": "frames", "sample_rate": RATE, **settings}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Network(path, sha256=digest, settings=Settings(**settings), threads=1)


def wavs(tmp_path, lengths, rate=RATE):
    tracks, samples = [], {}
    for number, length in enumerate(lengths):
        values = RNG.integers(-20000, 20000, length).astype(np.int16)
        soundfile.write(tmp_path / f"{number}.wav", values, rate, "PCM_16")
        tracks.append((f"t{number}", tmp_path / f"{number}.wav"))
        samples[f"t{number}"] = values / 32768
    return tracks, samples


def frames(samples, filters):
    windows = np.lib.stride_tricks.sliding_window_view(samples, 100)[::50]
    return windows @ filters[:, 0].T


def read(tmp_path, shards, cut):
    network_shards.gather(shards, {cut: tmp_path / "matrix.h5"})
    return matrices.read_matrix(tmp_path / "matrix.h5")


def test_a_sequence_of_frames_becomes_its_mean(tmp_path, waveform_network, filters):
    tracks, samples = wavs(tmp_path, [4000, 0, 5000])
    shard = tmp_path / "0.h5"
    count = extract_waveforms(
        shard, tracks, network(waveform_network), name="ears", cut="mean", sample_rate=RATE
    )
    assert count == 2  # a WAV without frames has none
    none = tmp_path / "1.h5"
    extract_waveforms(
        none, [], network(waveform_network), name="ears", cut="mean", sample_rate=RATE
    )
    matrix = read(tmp_path, [none, shard], "mean")
    assert matrix.track_ids == ["t0", "t2"]
    expected = [frames(samples[one], filters).mean(axis=0) for one in ("t0", "t2")]
    np.testing.assert_allclose(matrix.x, expected, atol=2e-3)
    assert matrix.columns == ["ears/mean 0", "ears/mean 1", "ears/mean 2"]
    about = matrix.attributes
    assert (about["weights"], about["engine"]) == ("audio.onnx", "onnxruntime")
    assert about["sha256"] == hashlib.sha256(waveform_network.read_bytes()).hexdigest()


def test_the_output_is_chosen_by_name(tmp_path, waveform_network, filters):
    tracks, samples = wavs(tmp_path, [4000])
    chosen = network(waveform_network, output="loudest")
    shard = tmp_path / "0.h5"
    extract_waveforms(
        shard, tracks, chosen, name="ears", cut="max", sample_rate=RATE, dtype="float32"
    )
    expected = frames(samples["t0"], filters).max(axis=0)
    np.testing.assert_allclose(read(tmp_path, [shard], "max").x[0], expected, rtol=1e-4)
    with pytest.raises(GenreflowError, match=r"no output 'frame'.*first: frames, loudest"):
        network(waveform_network, output="frame")


def test_a_waveform_is_brought_to_the_networks_rate_and_length(tmp_path, waveform_network, filters):
    tracks, samples = wavs(tmp_path, [22050, 6000], rate=22050)
    shard = tmp_path / "0.h5"
    chosen = network(waveform_network, duration=0.5, pooling="flatten")
    extract_waveforms(
        shard, tracks, chosen, name="ears", cut="x", sample_rate=22050, dtype="float32"
    )
    matrix = read(tmp_path, [shard], "x")
    for row, track_id in enumerate(samples):
        low = soxr.resample(samples[track_id], 22050, RATE, quality="HQ")[:4000]
        low = np.pad(low, (0, 4000 - len(low)))
        expected = frames(low, filters).reshape(-1)
        np.testing.assert_allclose(matrix.x[row], expected, atol=1e-3)


def test_features_of_different_lengths_are_refused(tmp_path, waveform_network):
    tracks, _ = wavs(tmp_path, [4000, 5000])
    with pytest.raises(GenreflowError, match=r"track t1 have 297.* t0 237.*pooling to mean"):
        extract_waveforms(
            tmp_path / "0.h5",
            tracks,
            network(waveform_network, pooling="flatten"),
            name="ears",
            cut="x",
            sample_rate=RATE,
        )
    assert not (tmp_path / "0.h5").exists()


@pytest.mark.parametrize(
    "shape", [["b", 8, 12], ["b", 1, 8, 12], ["b", 8, 12, 1]], ids=["none", "first", "last"]
)
def test_a_network_may_take_log_mel_images(tmp_path, shape):
    weights = RNG.standard_normal((96, 4)).astype(np.float32)
    path = save(
        tmp_path / "image.onnx",
        [
            helper.make_node("Flatten", ["image"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
        ],
        [("image", TensorProto.FLOAT, shape)],
        [("embedding", ["b", 4])],
        [("weights", weights)],
    )
    images = RNG.integers(0, 256, (3, 8, 12), dtype=np.uint8)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = images
        for name in ("track_id", "genre"):
            file.create_dataset(name, data=["a", "b", "c"], dtype=h5py.string_dtype("utf-8"))
        file["frames"] = np.full(3, 12, np.int32)
    shard = tmp_path / "0.h5"
    chosen = network(path, input="image", output="embedding")
    assert extract_images(shard, tmp_path / "images.h5", chosen, name="eyes", cut="e") == 3
    expected = images.reshape(3, -1) @ weights
    np.testing.assert_allclose(read(tmp_path, [shard], "e").x, expected, rtol=2e-3, atol=1)


def test_another_file_than_the_one_trusted_is_not_run(tmp_path, waveform_network):
    wrong = hashlib.sha256(b"other").hexdigest()
    settings = Settings("waveform", "frames", RATE)
    with pytest.raises(GenreflowError, match=rf"audio\.onnx has the sha256 .*expected {wrong}"):
        Network(waveform_network, sha256=wrong, settings=settings, threads=1)
    with pytest.raises(GenreflowError, match=r"cannot read .*none\.onnx: No such file"):
        Network(tmp_path / "none.onnx", sha256=wrong, settings=settings, threads=1)


def test_networks_that_cannot_be_used_are_named(tmp_path, waveform_network):
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(GenreflowError, match=r"text\.onnx is no network in ONNX"):
        network(tmp_path / "text.onnx")
    with pytest.raises(GenreflowError, match=r"samples has the shape .* is no image"):
        network(waveform_network, input="image")
    two = save(
        tmp_path / "two.onnx",
        [helper.make_node("Add", ["a", "b"], ["c"])],
        [("a", TensorProto.FLOAT, ["n"]), ("b", TensorProto.FLOAT, ["n"])],
        [("c", ["n"])],
    )
    with pytest.raises(GenreflowError, match=r"one input of float32; .* a tensor.*, b tensor"):
        network(two, output="c")


def test_a_track_that_the_network_does_not_take_is_said(tmp_path, waveform_network):
    tracks, _ = wavs(tmp_path, [50])  # shorter than a filter
    with pytest.raises(GenreflowError, match=r"does not take a waveform of the shape \(50,\)"):
        extract_waveforms(
            tmp_path / "0.h5",
            tracks,
            network(waveform_network),
            name="ears",
            cut="x",
            sample_rate=RATE,
        )
