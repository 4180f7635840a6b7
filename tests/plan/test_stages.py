"""What rules read and depend on is worked out without Snakemake."""

from types import SimpleNamespace

import pytest
from genreflow.config import complete
from genreflow.corpus.tracks import Track, shard_of
from genreflow.errors import GenreflowError
from genreflow.plan.plan import Plan
from genreflow.plan.stages import Stages

ONNX = {"kind": "onnx", "network": "net.onnx", "sha256": "ab" * 32, "cuts": {"out": "output_1"}}

CONFIG = {
    "corpus": {"name": "mine", "kind": "folder", "audio": "music", "shards": 2},
    "splits": ["grouped"],
    "seeds": [0, 1],
    "cnn": {
        "run": ["simple", "tuned"],
        "epochs": 9,
        "variants": {
            "simple": {"architecture": "simple"},
            "tuned": {"architecture": "simple", "search": "study", "epochs": 3, "augment": True},
        },
        "search": {"spaces": {"study": {"dropout": [0.1, 0.2]}}},
        "pairs": [],
    },
    "ffnn": {"units": [[8]]},
    "transfer": {
        "backbones": {
            "MobileNetV2": ["out_relu"],
            "waves": {**ONNX, "input": "waveform", "sample_rate": 16000},
            "pictures": {**ONNX, "input": "image"},
        },
        "joined": {"both": ["waves/out", "handcrafted"]},
        "run": ["lda"],
    },
    "classify": {
        "features": {
            "handcrafted": ["all", 0.9],
            "mobilenetv2/out_relu": [0.9],
            "joined/both": ["all"],
        },
        "run": ["lda"],
    },
    "ensembles": {"members": {"mean": {"of": ["ffnn/8", "cnn/simple"]}}},
}


@pytest.fixture
def stages():
    tracks = [
        Track(f"{genre}-{n}", f"music/{genre}/{n}.mp3", genre) for genre in "ab" for n in range(30)
    ]
    return Stages(Plan.of(complete(CONFIG), tracks))


def of(**wildcards):
    return SimpleNamespace(**wildcards)


def test_tracks_are_in_the_shard_of_their_id(stages):
    for shard in "01":
        ids = stages.ids_of_shard(of(shard=shard))
        assert ids and {shard_of(one, 2) for one in ids} == {int(shard)}
        assert stages.wavs_of_shard(of(shard=shard)) == [f"results/mine/wav/{i}.wav" for i in ids]
    assert len(stages.plan.tracks) == 60 == len(stages.wavs)


def test_a_track_that_is_not_there_is_said(stages):
    assert stages.source(of(track="a-3")) == "music/a/3.mp3"
    with pytest.raises(GenreflowError, match=r"no track a-99 in corpus mine.*listing\.json"):
        stages.source(of(track="a-99"))


@pytest.mark.parametrize(
    ("name", "first", "network", "rate"),
    [
        ("handcrafted", "music/", [], 0),
        ("mobilenetv2", "results/mine/spectrograms/1.h5", "results/mine/networks/mobilenetv2", 0),
        ("pictures", "results/mine/spectrograms/1.h5", "net.onnx", 0),
        ("waves", "results/mine/wav/", "net.onnx", 22050),
    ],
)
def test_each_kind_of_features_gets_what_it_needs_of_a_shard(stages, name, first, network, rate):
    wildcards = of(feature_set=name, shard="1")
    clips = stages.clips_of_shard(wildcards)
    clips = [clips] if isinstance(clips, str) else clips
    assert all(path.startswith(first) for path in clips)
    assert stages.network(wildcards) == network
    assert stages.sample_rate(wildcards) == rate  # of the WAVs, for nothing else depends on it
    assert stages.feature_set(wildcards)["name"] == name


def test_matrices_know_their_shards_and_outputs(stages):
    assert stages.matrices == ["handcrafted", "mobilenetv2/out_relu", "pictures/out", "waves/out"]
    assert stages.output(of(features="waves/out")) == "out"
    assert stages.output(of(features="handcrafted")) == ""
    shards = stages.feature_shards(of(features="mobilenetv2/out_relu"))
    assert sorted(shards) == [f"results/mine/feature_shards/mobilenetv2/{n}.h5" for n in "01"]
    assert stages.prepared == ["mobilenetv2"]
    assert stages.joined(of(joined="both")) == ["waves/out", "handcrafted"]


def test_a_variant_depends_on_its_own_settings_and_those_of_its_augmentation(stages):
    tuned = of(variant="tuned", split="grouped")
    assert stages.training(tuned)["epochs"] == 3
    assert stages.training(of(variant="simple"))["epochs"] == 9
    variant = stages.variant(tuned)
    assert not {"search", "epochs", "strength"} & variant.keys()  # it is trained on copies
    assert (variant["augment"], variant["online"]) == ("copies", {})
    assert stages.copies(tuned) == "results/mine/grouped/augmented.h5"
    assert stages.copies(of(variant="simple", split="grouped")) == []
    assert stages.winner(tuned) == "results/mine/grouped/cnn/tuned/search/winner.yaml"
    assert variant["dropout"] is not None
    assert stages.searched_variant(tuned) == {**variant, "dropout": None}
    assert stages.search(tuned)["space"] == {"dropout": [0.1, 0.2]}
    with pytest.raises(GenreflowError, match=r"no variant other in cnn\.variants: simple, tuned"):
        stages.variant(of(variant="other"))


def test_images_wait_for_their_length_only_where_it_is_found(stages):
    shard = of(shard=next(iter(stages.plan.shards)))
    assert (stages.length_of_images(shard), stages.audio["duration"]) == ([], 29.7)
    found = Stages(Plan.of(complete(CONFIG | {"audio": {"duration": "auto"}}), []))
    assert found.length_of_images(shard) == found.plan.layout.clip_length
    assert found.wav.split()[:3] == stages.wav.split()[:3]


def test_an_svm_is_given_memory_for_its_squares():
    tracks = [Track(f"{genre}{n}", "x.mp3", genre) for genre in "ab" for n in range(9000)]
    settings = {"split": {"test": 0.1, "validation": 0.1}, "classify": {"threads": 3}}
    stages = Stages(Plan.of(complete(CONFIG | settings), tracks))
    of_svm = of(split="grouped", classifier="svm-rbf")
    # Of the 14,400 to learn from, the square itself and a cut of it for each thread.
    squares = 4 * 14_400**2 * 8 / 1e6
    assert stages.classifier_memory(of_svm, 1) == 6000 + int(squares)
    assert stages.classifier_memory(of_svm, 2) == 2 * (6000 + int(squares))
    assert stages.classifier_memory(of(split="grouped", classifier="mlp"), 1) == 6000


def test_learners_are_known_by_what_they_take_and_leave(stages):
    plan = stages.plan
    joined = plan.learners["classify/joined/both/all/lda"]
    assert (joined.matrix, list(joined.sets)) == ("joined/both", ["waves", "handcrafted"])
    assert plan.networks_of([joined]) == {"waves": "net.onnx"}
    assert plan.features_of([joined]) == ["results/mine/features/joined/both.h5", "net.onnx"]
    seeds = [fitted.seed for fitted in plan.fitted([plan.learners["ffnn/8"]])]
    assert seeds == [0, 1]
    assert [fitted.seed for fitted in plan.fitted([joined])] == [None]
    assert stages.members(of(ensemble="mean", split="grouped")) == [
        f"results/mine/grouped/{name}/seed-{seed}/predictions.csv"
        for name in ("ffnn/8", "cnn/simple")
        for seed in (0, 1)
    ]


def test_what_rests_on_random_weights_is_marked(stages):
    assert set(stages.plan.marks) == {"mobilenetv2/out_relu"}
    assert "random weights" in stages.plan.notes


def test_a_learner_that_is_named_is_the_only_one_bundled():
    tracks = [Track(f"{g}-{n}", f"{g}/{n}", g) for g in "ab" for n in range(30)]
    named = {**CONFIG, "predict": {"learner": "ensemble/mean"}}
    stages = Stages(Plan.of(complete(named), tracks))
    assert [one.name for one in stages.candidates] == ["ensemble/mean"]
    models = stages.candidate_models(of())
    assert [path.rsplit("/", 1)[1] for path in models] == ["combiner.skops", *["model.keras"] * 4]
    wrong = Stages(Plan.of(complete({**CONFIG, "predict": {"learner": "cnn/tune"}}), tracks))
    with pytest.raises(
        GenreflowError, match=r"predict\.learner: cnn/tune is not run; there are cnn/"
    ):
        _ = wrong.candidates


WITHOUT_AUDIO = {
    **CONFIG,
    "feature_tables": {"own": "my/own.csv"},
    "cnn": {"run": []},
    "ffnn": {"units": [[8]], "features": ["table/own"]},
    "classify": {"features": {"table/own": ["all"]}, "run": ["lda"]},
    "ensembles": {"members": {}},
}


def test_without_audio_nothing_is_made_of_it():
    tracks = [Track(f"{genre}-{n}", "", genre) for genre in "ab" for n in range(30)]
    stages = Stages(Plan.of(complete(WITHOUT_AUDIO), tracks))
    assert (stages.audits(of()), stages.plan.measures_latency) == ([], False)
    assert stages.tabulated == stages.gathered == ["table/own"]
    assert stages.table_file(of(features="table/own")) == "my/own.csv"
    settings = {"kind": "table", "name": "table/own", "settings": {"source": "own.csv"}}
    assert stages.feature_set(of(features="table/own")) == settings
    assert stages.handcrafted_table == stages.plan.galleries == []
    report = stages.reported(of())
    assert not [path for path in report if "spectrogram" in path or "clip_length" in path]
    with pytest.raises(GenreflowError, match=r"table/own .*from a table \(own\.csv\)"):
        stages.candidate_predictions(of())


def test_a_network_takes_the_features_that_its_name_says(stages):
    assert stages.features_of_network(of(units="8")) == "results/mine/features/handcrafted.h5"
    with pytest.raises(GenreflowError, match=r"no network ffnn/9 is run; there are 8"):
        stages.features_of_network(of(units="9"))
    stages = Stages(Plan.of(complete(WITHOUT_AUDIO), []))
    found = stages.features_of_network(of(units="table/own/8"))
    assert found == "results/mine/features/table/own.h5"


def test_without_a_corpus_nothing_is_asked_of_it():
    def stop():
        raise SystemExit("there is no corpus")

    stages = Stages(Plan.of(complete(CONFIG), []), stop)
    for ask in (stages.audits, stages.predictions, stages.spectrogram_shards):
        with pytest.raises(SystemExit):
            ask(of())
