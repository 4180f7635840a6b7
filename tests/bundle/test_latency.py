"""How long predictions take, by a clock that goes on by a second each time it is looked at."""

import itertools

import pandas as pd
import pytest
from genreflow.bundle import bundles, latency
from genreflow.errors import GenreflowError
from genreflow.evaluation import metrics
from made.trained_corpus import LEARNERS

ENSEMBLE = LEARNERS[:4]
"""A network of images, one of crops, one of features, and a classifier of the same features."""

STEPS = {
    # From a decoded clip: an image, the network (one model takes its crops within its own time).
    "cnn/whole": (2, 1),
    "cnn/crops": (2, 1),
    "ffnn/8": (2, 1),
    "classify/handcrafted/all/logistic-regression": (2, 1),
    "classify/tiny/pool/all/svm-linear": (3, 1),
    # Two networks, one image.
    "classify/joined/both/all/svm-rbf": (4, 1),
    # An image, the features, three networks with two seeds each, and a classifier.
    "ensemble/mean": (2 + 3 * 2 + 1, 2),
}
"""Steps from a decoded clip to the prediction, and how often a file is decoded."""


@pytest.fixture(scope="module")
def timed(corpus):
    with pytest.MonkeyPatch.context() as patch:
        ticks = itertools.count()
        patch.setattr(latency.time, "perf_counter", lambda: next(ticks))
        return latency.measure(
            list(corpus.runs.values()),
            corpus.files[:6],
            images=corpus.images,
            threads=1,
            ensembles={"ensemble/mean": ENSEMBLE, "ensemble/other": ["cnn/whole", "cnn/absent"]},
            seeds=2,
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
    assert set(rows(timed, "features").index) == {"images", "handcrafted", "tiny", "slow"}
    assert set(rows(timed, "decode").index) == {"images", "handcrafted"}
    assert set(timed["device"]) == {"cpu"}
    assert set(timed["clips"]) == {6}


def test_what_many_clips_share_counts_once(timed):
    # All six go through a network and a model within a tick, but are made into images in six.
    assert rows(timed, "model").loc["cnn/whole", "together"] == pytest.approx(1 / 6)
    clip = rows(timed, "clip").loc["classify/tiny/pool/all/svm-linear", "together"]
    assert clip == pytest.approx((6 + 1 + 1) / 6)


def test_parameters_are_those_that_were_learned(timed, corpus):
    import keras

    counts = rows(timed, "clip")["parameters"]
    for name in ("cnn/whole", "cnn/crops", "ffnn/8"):
        model = keras.saving.load_model(bundles.model_file(corpus.runs[name]))
        assert counts[name] == sum(w.value.numpy().size for w in model.trainable_weights)
    tiny = 5 * 5 * 3 + 3
    assert counts["classify/tiny/pool/all/svm-linear"] == tiny
    assert counts["classify/joined/both/all/svm-rbf"] == 2 * tiny
    assert pd.isna(counts["classify/handcrafted/all/logistic-regression"])


def test_the_comparison_gets_medians_from_decoded_clips(timed):
    costs = metrics.inference_by_learner(timed)
    assert costs["seconds"].to_dict() == {name: steps for name, (steps, _) in STEPS.items()}
    assert costs.loc["cnn/whole", "parameters"] == rows(timed, "model")["parameters"]["cnn/whole"]


def test_the_tables_name_machine_and_marks(timed):
    text = latency.to_markdown(timed, note="Made up.", marks={"tiny": "random weights"})
    assert f"{latency.processor()}, 1 thread:" in text
    assert "of 6 clips" in text
    assert text.endswith("*Made up.*\n")
    lines = [line for line in text.splitlines() if line.startswith("| cnn/whole ")]
    (cells,) = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[:5] == [
        "cnn/whole",
        "cpu",
        *("1000.00 (1000.00)", "2000.00 (2000.00)", "3000.00 (3000.00)"),
    ]
    assert "classify/tiny/pool/all/svm-linear (random weights)" in text
    assert text.count("| tiny (random weights)") == 1


def test_features_that_audio_cant_be_turned_into_arent_timed(corpus, tmp_path):
    import h5py

    with h5py.File(tmp_path / "table.h5", "w") as file:
        file.attrs["source"] = "published"
    name = "classify/handcrafted/all/logistic-regression"
    run = bundles.Run(corpus.runs[name].folder, name, [bundles.Features(tmp_path / "table.h5")])
    said = []
    timed = latency.measure(
        [corpus.runs["cnn/whole"], run],
        corpus.files[:4],
        images=corpus.images,
        threads=1,
        report=said.append,
    )
    assert set(rows(timed, "clip").index) == {"cnn/whole"}
    assert any(name in line and "isn't timed" in line for line in said)


def test_nothing_to_time_is_refused(corpus):
    with pytest.raises(GenreflowError, match=r"inference\.clips"):
        latency.measure([], corpus.files, images=corpus.images, threads=1)


def test_the_processor_is_named(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Abacus 3000\nflags : x\n")
    assert latency.processor(tmp_path / "cpuinfo") == "Abacus 3000"
    assert latency.processor(tmp_path / "missing")
