"""Networks in ONNX as feature sets: small ones, made here."""

import hashlib
import json

import numpy as np
import onnx
import pytest
import soundfile
import soxr
from genreflow.errors import GenreflowError
from genreflow.features import matrices, shards, spectrograms, wav_clips
from genreflow.features.feature_set import Part, Sound
from genreflow.features.front_ends import MelPatches
from genreflow.features.kinds.onnx_network import Mel
from made.networks import (
    sha256,
    write_filters,
    write_image_shard,
    write_onnx,
    write_patches,
    write_product,
)
from onnx import helper

RATE = 8000
RNG = np.random.default_rng(0)


@pytest.fixture
def filters():
    return RNG.standard_normal((3, 1, 100)).astype(np.float32)


@pytest.fixture
def ears(tmp_path, filters):
    return write_filters(tmp_path / "audio.onnx", filters)


def feature_set(path, output="frames", **changes):
    known = {"input": "waveform", "sample_rate": RATE, "dtype": "float32", "sha256": sha256(path)}
    settings = known | {"cuts": {"out": output}} | changes
    return Part("onnx", "net", "out", settings, str(path)).feature_set()


def wavs(tmp_path, lengths, rate=RATE):
    """Write WAVs of noise; return their clips, and the samples by track."""
    tracks, samples = [], {}
    for number, length in enumerate(lengths):
        values = RNG.integers(-20000, 20000, length).astype(np.int16)
        soundfile.write(tmp_path / f"{number}.wav", values, rate, "PCM_16")
        tracks.append((f"t{number}", tmp_path / f"{number}.wav"))
        samples[f"t{number}"] = values / 32768
    return wav_clips.wavs(tracks, sample_rate=rate), samples


def frames(samples, filters):
    windows = np.lib.stride_tricks.sliding_window_view(samples, 100)[::50]
    return windows @ filters[:, 0].T


def read(tmp_path, paths):
    shards.gather(paths, "out", matrix=tmp_path / "x.h5", left_out=tmp_path / "left_out.csv")
    return matrices.read_matrix(tmp_path / "x.h5")


def test_a_sequence_of_frames_becomes_its_mean(tmp_path, ears, filters):
    clips, samples = wavs(tmp_path, [4000, 0, 5000])
    features = feature_set(ears, dtype="float16")
    assert shards.write(tmp_path / "0.h5", features, clips) == 2
    assert shards.write(tmp_path / "1.h5", features, iter(())) == 0
    matrix = read(tmp_path, [tmp_path / "1.h5", tmp_path / "0.h5"])
    assert matrix.track_ids == ["t0", "t2"]
    assert "t1,it could not be decoded" in (tmp_path / "left_out.csv").read_text()
    expected = [frames(samples[one], filters).mean(axis=0) for one in ("t0", "t2")]
    np.testing.assert_allclose(matrix.x, expected, atol=2e-3)
    assert matrix.columns == ["net/out 0", "net/out 1", "net/out 2"]
    [about] = json.loads(matrix.attributes["about"])
    assert (about["network"], about["engine"]) == ("audio.onnx", "openvino")
    [part] = shards.parts_of(tmp_path / "x.h5")
    assert (part.output, part.settings) == ("out", features.settings)


def test_the_output_is_chosen_by_name(tmp_path, ears, filters):
    clips, samples = wavs(tmp_path, [4000])
    shards.write(tmp_path / "0.h5", feature_set(ears, "loudest"), clips)
    expected = frames(samples["t0"], filters).max(axis=0)
    np.testing.assert_allclose(read(tmp_path, [tmp_path / "0.h5"]).x[0], expected, rtol=1e-4)
    with pytest.raises(GenreflowError, match=r"no output 'frame'.*first: frames, loudest"):
        shards.write(tmp_path / "1.h5", feature_set(ears, "frame"), wavs(tmp_path, [4000])[0])


def test_a_waveform_is_brought_to_the_networks_rate_and_length(tmp_path, ears, filters):
    clips, samples = wavs(tmp_path, [22050, 6000], rate=22050)
    shards.write(tmp_path / "0.h5", feature_set(ears, duration=0.5, pooling="flatten"), clips)
    matrix = read(tmp_path, [tmp_path / "0.h5"])
    for row, track_id in enumerate(samples):
        low = soxr.resample(samples[track_id], 22050, RATE, quality="HQ")[:4000]
        low = np.pad(low, (0, 4000 - len(low)))
        np.testing.assert_allclose(matrix.x[row], frames(low, filters).reshape(-1), atol=1e-3)


@pytest.mark.parametrize("batch", ["b", 4, 1])
@pytest.mark.parametrize("shape", [[20, 16], [1, 20, 16], [20, 16, 1]], ids=len)
def test_patches_go_through_together_and_all_outputs_come_from_one_pass(tmp_path, shape, batch):
    weights = write_patches(tmp_path / "patches.onnx", shape, batch=batch)
    mel = Mel(n_fft=256, hop_length=128, n_mels=16, patch_frames=20, log="ln")
    features = feature_set(
        tmp_path / "patches.onnx",
        input="mel",
        mel=mel.model_dump(exclude_none=True),
        cuts={"a": "first", "b": "second"},
    )
    clip = Sound(RNG.integers(-20000, 20000, 16000).astype(np.int16), RATE)
    computed = features.features([clip])
    patches = MelPatches(features.settings["mel"], RATE)(clip.samples.astype(np.float32) / 32768)
    assert len(patches) == 6
    for cut, output in (("a", "first"), ("b", "second")):
        expected = (patches.reshape(6, -1) @ weights[output]).mean(axis=0)
        np.testing.assert_allclose(computed[cut][0], expected, rtol=1e-4, atol=1e-4)


def test_features_that_are_not_finite_are_refused_with_the_track(tmp_path):
    weights = np.array([[np.nan], [1], [1], [1]], np.float32)
    eyes = write_product(tmp_path / "image.onnx", weights, ["b", 2, 2])
    features = feature_set(eyes, "embedding", input="image")
    pictures = {"t0": np.ones((2, 2), np.uint8)}
    clips = spectrograms.clips(write_image_shard(tmp_path / "images.h5", pictures, (2, 2)))
    with pytest.raises(GenreflowError, match="track t0: the features net/out are not finite"):
        shards.write(tmp_path / "0.h5", features, clips)
    with pytest.raises(GenreflowError, match="features net/out are not finite"):
        features.features([pictures["t0"]])


def test_features_of_different_lengths_are_refused(tmp_path, ears):
    flat = feature_set(ears, pooling="flatten")
    with pytest.raises(GenreflowError, match=r"track t1 have 297.* t0 237.*pooling to mean"):
        shards.write(tmp_path / "0.h5", flat, wavs(tmp_path, [4000, 5000])[0])
    assert not (tmp_path / "0.h5").exists()
    for number, length in enumerate((4000, 5000)):
        shards.write(tmp_path / f"{number}.h5", flat, wavs(tmp_path, [length])[0])
    with pytest.raises(GenreflowError, match=r"237 .*0\.h5 and 297 .*1\.h5.*pooling to mean"):
        read(tmp_path, [tmp_path / "0.h5", tmp_path / "1.h5"])


@pytest.mark.parametrize(
    "shape", [["b", 8, 12], ["b", 1, 8, 12], ["b", 8, 12, 1]], ids=["none", "first", "last"]
)
def test_a_network_may_take_log_mel_images(tmp_path, shape):
    weights = RNG.standard_normal((96, 4)).astype(np.float32)
    eyes = write_product(tmp_path / "image.onnx", weights, shape)
    pictures = RNG.integers(0, 256, (3, 8, 12), dtype=np.uint8)
    images = dict(zip("abc", pictures, strict=True))
    clips = spectrograms.clips(write_image_shard(tmp_path / "images.h5", images, (8, 12)))
    features = feature_set(eyes, "embedding", input="image")
    assert shards.write(tmp_path / "0.h5", features, clips) == 3
    expected = pictures.reshape(3, -1) @ weights
    np.testing.assert_allclose(read(tmp_path, [tmp_path / "0.h5"]).x, expected, rtol=1e-4, atol=0.1)


def refused(tmp_path, features, words, length=4000):
    with pytest.raises(GenreflowError, match=words):
        shards.write(tmp_path / "refused.h5", features, wavs(tmp_path, [length])[0])
    assert not (tmp_path / "refused.h5").exists()


def test_another_file_than_the_one_trusted_is_not_run(tmp_path, ears):
    wrong = hashlib.sha256(b"other").hexdigest()
    features = feature_set(ears, sha256=wrong)
    refused(tmp_path, features, rf"audio\.onnx has the sha256 .*expected {wrong}")
    ears.unlink()
    refused(tmp_path, features, r"cannot read .*audio\.onnx: No such file")


@pytest.mark.parametrize("folder", ["", "../ears/"])
def test_weights_in_another_file_are_not_read(tmp_path, monkeypatch, filters, folder):
    """The hash says nothing of them; they would be looked for beside the network or here."""
    (tmp_path / "ears").mkdir()
    monkeypatch.chdir(tmp_path / "ears")
    path = write_filters(tmp_path / "ears" / "apart.onnx", filters)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for one in (one for weights in model.graph.initializer for one in weights.external_data):
        one.value = f"{folder}weights" if one.key == "location" else one.value
    path.write_bytes(model.SerializeToString())
    refused(
        tmp_path,
        feature_set(path),
        r"apart\.onnx is no network in ONNX that can be run: it has weights in other files",
    )


def test_networks_that_cannot_be_used_are_named(tmp_path, ears):
    (tmp_path / "text.onnx").write_text("no network")
    refused(tmp_path, feature_set(tmp_path / "text.onnx"), r"text\.onnx is no network in ONNX")
    two = write_onnx(
        tmp_path / "two.onnx",
        [helper.make_node("Add", ["a", "b"], ["c"])],
        [("a", ["n"]), ("b", ["n"])],
        [("c", ["n"])],
    )
    refused(tmp_path, feature_set(two, "c"), r"one input of float32; .* a f32 .*, b f32")
    eyes = feature_set(ears, input="image")
    with pytest.raises(GenreflowError, match=r"samples has the shape .* is no image"):
        eyes.extract([np.zeros((8, 12), np.uint8)])


def test_a_track_that_the_network_does_not_take_is_named(tmp_path, ears):
    words = r"at track t0: .*audio\.onnx does not take a waveform of the shape \(50,\)"
    refused(tmp_path, feature_set(ears), words, length=50)  # shorter than a filter
