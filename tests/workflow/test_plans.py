"""What the workflow would do: plans and graphs of several corpora, and what each rule declares."""

import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path

import harness
import pytest
from genreflow.corpus.tracks import Track
from harness import ROOT, rules_of
from small_corpora import DEMO, TINY, merged

PLANS = Path(__file__).parent / "plans"

FMA = {"corpus": {"name": "fma", "kind": "fma", "audio": "data"}}

CONFIGURATIONS = {
    "demo": {},
    "folder_cv_two_seeds": merged(TINY, {"splits": ["cv-1x3"], "seeds": [0, 1]}),
    "fma_small": FMA,
}


@pytest.fixture
def fma(tmp_path):
    """Make FMA's folders with 16 empty clips of the 20 that tracks.csv lists."""
    from genreflow.corpus.demo import write_metadata

    clips = tmp_path / "data" / "fma_small"
    parts = [*["training"] * 8, *["validation"] * 4, *["test"] * 4, *["training"] * 4]
    tracks = [
        Track(f"{i:06d}", f"{clips}/000/{i:06d}.mp3", ("Dub", "March")[i % 2], part)
        for i, part in enumerate(parts, start=2)
    ]
    write_metadata(tracks, tmp_path / "data" / "fma_metadata" / "tracks.csv")
    (clips / "000").mkdir(parents=True)
    for track in tracks[:16]:
        Path(track.path).touch()
    return tmp_path


def text_of(jobs, edges):
    """Return the number of jobs of each rule, and which rule's files which rule reads."""
    counts = sorted(Counter(rule for rule, *_ in jobs).items())
    return "\n".join([*(f"{number:4} {rule}" for rule, number in counts), "", *edges, ""])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_jobs_and_rules_are_the_committed_ones(name, plan, corpus, fma):
    """To renew them, run with GENREFLOW_RENEW=1 and look at what changed."""
    workdir = fma if name == "fma_small" else harness.copied(corpus, fma / "work")
    config = CONFIGURATIONS[name]
    jobs = plan(workdir, base=config)
    text = text_of(jobs, harness.in_new_process(harness.rule_graph, workdir, config, ROOT))
    committed = PLANS / f"{name}.txt"
    if os.environ.get("GENREFLOW_RENEW"):
        committed.write_text(text)
    assert text == committed.read_text()


def test_fma_with_missing_clips_lists_them(plan, fma):
    jobs = plan(fma, base=FMA)
    assert len([job for job in jobs if job[0] == "wav"]) == 16
    listing = json.loads((fma / "results" / "fma" / "corpus" / "listing.json").read_text())
    assert len(listing["missing"]) == 4


def test_two_splits_stand_side_by_side(plan, fresh):
    jobs = plan(fresh, {"splits": ["grouped", "lowest-ids"]})
    assert {job[1:] for job in jobs if job[0] == "split"} == {("grouped",), ("lowest-ids",)}
    assert {job[1] for job in jobs if job[0] == "cnn"} == {"grouped", "lowest-ids"}
    assert len([job for job in jobs if job[0] == "tables"]) == 1
    assert len([job for job in jobs if job[0] == "wav"]) == 18


IMAGENET = {"transfer": {"weights": "imagenet"}, "classify": {"features": {"vgg16/fc2": [0.9]}}}


def test_learners_on_imagenet_weights_are_run_once_these_are_there(plan, fresh):
    jobs = plan(fresh, IMAGENET)
    assert {job[1] for job in jobs if job[0] == "network"} == {"tiny"}
    assert "vgg16/fc2" not in {job[2] for job in jobs if job[0] in ("classify", "pca")}
    weights = fresh / "resources/weights/VGG16.h5"
    weights.parent.mkdir(parents=True)
    weights.touch()
    jobs = plan(fresh, IMAGENET)
    assert {job[1] for job in jobs if job[0] == "network"} == {"tiny", "vgg16"}
    assert ("classify", "grouped", "vgg16/fc2", "pca-0.90", "svm-linear") in jobs


def test_what_only_left_out_learners_need_is_not_made(plan, fresh):
    """With no learner but those, the targets that bring what is lacking can be planned."""
    changes = merged(
        IMAGENET,
        {
            "cnn": {"run": []},
            "ffnn": {"units": []},
            "classify": {
                "features": {"handcrafted": [], "tiny/pool": [], "joined/both": []},
            },
        },
    )
    assert plan(fresh, changes, targets=["fetch"]) == {("fetch",)}


def test_learners_that_new_audio_cant_be_given_to_are_not_timed(plan, fresh):
    """Nothing but classifiers on a published table: there is nothing to time, and no error."""
    published = {
        "handcrafted": {"source": "published", "table": "features.csv"},
        "latency": {"clips": 2},
        "transfer": {"backbones": {}, "joined": {}},
        "classify": {"features": {"tiny/pool": [], "joined/both": []}},
    }
    (fresh / "features.csv").write_text("")
    assert "latency" in {job[0] for job in plan(fresh, published)}  # the CNNs
    published["cnn"] = {"run": []}
    jobs = {job[0] for job in plan(fresh, published)}
    assert "tables" in jobs
    assert "latency" not in jobs


def test_a_network_in_onnx_is_taken_by_its_hash(plan, fresh):
    sha256 = hashlib.sha256(b"network").hexdigest()
    backbone = {
        "kind": "onnx",
        "network": "http://localhost/net.onnx",
        "sha256": sha256,
        "cuts": {"embedding": "StatefulPartitionedCall:1"},
        "input": "waveform",
        "sample_rate": 16000,
    }
    changes = {
        "transfer": {"backbones": {"audio": backbone}},
        "classify": {"features": {"audio/embedding": ["all"]}},
    }
    sets = {job[1] for job in plan(fresh, changes) if job[0] == "feature_shard"}
    assert sets == {"handcrafted", "tiny"}
    network = fresh / f"resources/onnx/{sha256}.onnx"
    network.parent.mkdir(parents=True)
    network.touch()
    jobs = plan(fresh, changes)
    assert (
        len([job for job in jobs if job[:2] == ("feature_shard", "audio")])
        == TINY["corpus"]["shards"]
    )
    assert ("classify", "grouped", "audio/embedding", "all", "svm-linear") in jobs


def test_plan_of_one_file_holds_what_it_needs(plan, fresh):
    jobs = plan(fresh, targets=["results/tiny/corpus/splits/grouped.csv"])
    assert rules_of(jobs) == {"wav", "audit", "manifest", "split"}


# What each rule declares


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("rules")
    return harness.in_new_process(harness.describe_rules, workdir, DEMO, ROOT)


GATHER = {"all", "wavs"}
"""Rules that do nothing but ask for files."""


def test_every_rule_says_what_it_does(rules):
    lacking = [name for name, rule in rules.items() if not rule["docstring"]]
    # The rule wav has none: a message is paid for once a track, thousands of times.
    lacking += [n for n in rules.keys() - GATHER - {"fetch", "wav"} if not rules[n]["message"]]
    assert lacking == []


@pytest.mark.parametrize("kind", ["log", "benchmark"])
def test_every_job_leaves_a_trace(rules, kind):
    without = GATHER | ({"fetch"} if kind == "benchmark" else set())
    assert [name for name in rules.keys() - without if not rules[name][kind]] == []


def test_every_rule_tells_its_memory_and_time(rules):
    asked = {name: rules[name]["resources"] for name in rules.keys() - GATHER}
    assert [name for name, found in asked.items() if not {"mem_mb", "runtime"} <= found] == []


def test_every_rule_tells_its_threads():
    lacking = []
    for path in sorted(ROOT.glob("rules/*.smk")):
        for block in re.split(r"^(?: *)(?=rule \w+:$)", path.read_text(), flags=re.M)[1:]:
            if not re.search(r"^ +threads: ", block, flags=re.M):
                lacking.append(block.split(":")[0])
    assert lacking == []


# The command line


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--dag", "--rulegraph"])
def test_graphs_have_stdout_for_themselves(fresh, option):
    shown = harness.snakemake(fresh, "--configfile", "tiny.yaml", option)
    assert shown.returncode == 0, shown.stderr
    assert re.fullmatch(r"digraph snakemake_dag \{.*\}\s*", shown.stdout, flags=re.DOTALL)


@pytest.mark.slow
def test_lint_is_clean(fresh):
    shown = harness.snakemake(fresh, "--configfile", "tiny.yaml", "--lint")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == ""


@pytest.mark.slow
def test_dry_run_makes_nothing(fresh):
    shown = harness.snakemake(fresh, "--configfile", "tiny.yaml", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert list(harness.made_files(fresh)) == ["results/tiny/corpus/listing.json"]


@pytest.mark.slow
def test_missing_fma_names_what_brings_it(tmp_path):
    config = "corpus={'kind': 'fma', 'audio': 'data', 'name': 'fma'}"
    shown = harness.snakemake(tmp_path, "--dry-run", "--config", config)
    assert shown.returncode != 0
    (line,) = [line for line in shown.stderr.splitlines() if "snakemake fetch" in line]
    assert "data" in line
    assert "Traceback" not in shown.stderr
    assert harness.snakemake(tmp_path, "--dry-run", "fetch", "--config", config).returncode == 0
