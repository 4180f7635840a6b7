"""How long predictions take, by a clock that goes on by a second each time it is looked at."""

import itertools
import math

import keras
import onnx
import pandas as pd
import pytest
from genreflow.bundle import latency
from genreflow.evaluation import metrics
from made.trained_corpus import LEARNERS, LOGISTIC, MEMBERS, SINGLE

JOINT = "classify/joined/all/all/svm-rbf"
STEPS = {
    # From a decoded clip: an image, the network (one model takes its crops within its own time).
    "cnn/whole": (2, 1),
    "cnn/crops": (2, 1),
    # Features, the model.
    "ffnn/8": (2, 1),
    LOGISTIC: (2, 1),
    "classify/ear/bands/all/lda": (2, 1),
    # An image, its network, the model.
    "classify/tiny/pool/all/svm-linear": (3, 1),
    # An image, two networks of images, one of audio, hand-crafted features, the model.
    JOINT: (6, 2),
    # An image, the features, two seeds of a network, two more networks, and a classifier.
    "ensemble/mean": (2 + 2 + 2 + 1, 2),
}
"""Steps from a decoded clip to the prediction, and how often a file is decoded."""


@pytest.fixture(scope="module")
def timed(corpus):
    with pytest.MonkeyPatch.context() as patch:
        ticks = itertools.count()
        patch.setattr(latency.time, "perf_counter", lambda: next(ticks))
        return latency.measure(
            [corpus.models(one.name)[0] for one in SINGLE],
            corpus.files[:6],
            images=corpus.images,
            threads=1,
            ensembles={"ensemble/mean": MEMBERS, "ensemble/other": ["cnn/whole", "cnn/absent"]},
            seeds={"cnn/whole": 2},
            report=lambda _: None,
        )


def rows(timed, step):
    return timed[timed["step"] == step].set_index("name")


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_learners_time_is_the_sum_of_its_steps(timed, learner):
    steps, decoded = STEPS[learner]
    assert rows(timed, "clip").loc[learner, ["median", "p95"]].tolist() == [steps, steps]
    assert rows(timed, "file").loc[learner, ["median", "p95"]].tolist() == [steps + decoded] * 2


def test_all_that_can_be_timed_is(timed):
    assert set(rows(timed, "clip").index) == set(LEARNERS)
    assert set(rows(timed, "model").index) == set(LEARNERS) - {"ensemble/mean"}
    assert set(rows(timed, "features").index) == {"image", "handcrafted", "tiny", "slow", "ear"}
    assert set(rows(timed, "decode").index) == {"wav", "source"}
    assert set(timed["device"]) == {"cpu"}
    assert set(timed["clips"]) == {6}


def test_what_many_clips_share_counts_once(timed):
    # All six go through a network and a model within a tick, but are made into images in six.
    assert rows(timed, "model").loc["cnn/whole", "together"] == pytest.approx(1 / 6)
    clip = rows(timed, "clip").loc["classify/tiny/pool/all/svm-linear", "together"]
    assert clip == pytest.approx((6 + 1 + 1) / 6)


def test_parameters_are_those_that_were_learned(timed, corpus):
    counts = rows(timed, "clip")["parameters"]
    for name in ("cnn/whole", "cnn/crops", "ffnn/8"):
        model = keras.saving.load_model(corpus.models(name)[0].file)
        assert counts[name] == sum(w.value.numpy().size for w in model.trainable_weights)
    assert counts["classify/tiny/pool/all/svm-linear"] == 5 * 5 * 3 + 3
    (ear,) = corpus.models("classify/ear/bands/all/lda")[0].features
    weights = onnx.load(ear.network).graph.initializer
    filters = sum(math.prod(one.dims) for one in weights if one.data_type == one.FLOAT)
    assert counts["classify/ear/bands/all/lda"] == filters
    # Of hand-crafted features that says nothing.
    for name in (LOGISTIC, JOINT):
        assert pd.isna(counts[name])


def test_the_comparison_gets_medians_from_decoded_clips(timed):
    found = metrics.latency_by_learner(timed)
    assert found["seconds"].to_dict() == {name: steps for name, (steps, _) in STEPS.items()}
    assert found.loc["cnn/whole", "parameters"] == rows(timed, "model")["parameters"]["cnn/whole"]


def test_the_tables_name_machine_and_learners(timed):
    titles = {"classify/tiny/pool/all/svm-linear": "Linear SVM on tiny (random weights)"}
    text = latency.to_markdown(timed, note="Made up.", titles=titles)
    assert f"{latency.processor()}, 1 thread:" in text
    assert "of 6 clips" in text
    assert text.endswith("*Made up.*\n")
    lines = [line for line in text.splitlines() if line.startswith("| cnn/whole ")]
    (cells,) = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[:5] == ["cnn/whole", "cpu", *("1,000 (1,000)", "2,000 (2,000)", "3,000 (3,000)")]
    assert "| Linear SVM on tiny (random weights) " in text


def test_the_processor_is_named(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Abacus 3000\nflags : x\n")
    assert latency.processor(tmp_path / "cpuinfo") == "Abacus 3000"
    assert latency.processor(tmp_path / "missing")
