"""The page on extending says what is true: its Python and settings are put in and run."""

import re

import harness
import numpy as np
import pandas as pd
import pytest
import yaml
from genreflow import config
from genreflow.corpus.tracks import read_listing
from small_corpora import TINY, merged

PAGE = harness.ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)

MADE = [
    "grouped/cnn/coarse/seed-0/predictions.csv",
    "grouped/cnn/wide/seed-0/predictions.csv",
    "grouped/classify/handcrafted/all/nearest/predictions.csv",
    "grouped/classify/handcrafted/all/svm-rbf/predictions.csv",
    "grouped/ensemble/mine/predictions.csv",
    "features/handcrafted.csv",
    "report.html",
    "tables/latency.csv",
]
"""What the examples add. The backbone of its example has weights that can't be had offline."""

NEW = "classify/loudness/level/all/nearest"
"""A learner of which both the features and the classifier are new."""


def blocks(language):
    """Return the blocks of a language: the file that each names, and the rest."""
    found = [text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == language]
    return [
        (text.splitlines()[0].removeprefix("# "), text.split("\n", 1)[1])
        if text.startswith("# ")
        else ("", text)
        for text in found
    ]


def changed(text, difference):
    """Replace each group of lines with - by the lines with + behind it, wherever it stands."""
    lines = difference.splitlines()
    while lines:
        old = lines.pop(0).removeprefix("-")
        new = []
        while lines and lines[0].startswith("+"):
            new.append(lines.pop(0).removeprefix("+"))
        assert old in text
        text = text.replace(old, "\n".join(new))
    return text


@pytest.fixture
def extended(tmp_path):
    """Return a copy of the code with the page's Python."""
    root = harness.copy_code(tmp_path / "code")
    for name, text in blocks("python"):
        with (root / name).open("a") as file:
            file.write("\n\n" + text)
    for name, text in blocks("diff"):
        (root / name).write_text(changed((root / name).read_text(), text))
    return root


def settings():
    """Return all settings of the page but those of the backbone, over the tiny corpus's."""
    whole = TINY
    for _, text in blocks("yaml"):
        example = yaml.safe_load(text)
        if "EfficientNetB0" not in text:
            whole = merged(whole, example)
    members = ["cnn/wide", "classify/handcrafted/all/svm-rbf"]
    assert whole["ensembles"]["members"]["mine"]["of"][1] == members[1]
    return merged(
        whole,
        {
            "ensembles": {"members": {"mine": {"of": members}}},
            "latency": {"clips": 2},
            "predict": {"learner": NEW, "path": "audio"},
        },
    )


def test_the_backbone_of_the_example_is_valid():
    (text,) = [text for _, text in blocks("yaml") if "EfficientNetB0" in text]
    whole = merged(yaml.safe_load((harness.ROOT / "config.yaml").read_text()), yaml.safe_load(text))
    assert "avg_pool" in config.complete(whole)["transfer"]["backbones"]["efficientnetb0"]["cuts"]


@pytest.mark.long
def test_every_example_runs(extended, finished):
    (finished / "more.yaml").write_text(yaml.safe_dump(settings()))
    targets = [*(f"results/tiny/{path}" for path in MADE), "predict"]
    done = harness.snakemake(finished, *targets, "--configfile", "more.yaml", root=extended)
    assert done.returncode == 0, done.stderr
    results = finished / "results/tiny"
    assert [path for path in MADE if not (results / path).exists()] == []
    header = (finished / "results/tiny/features/handcrafted.csv").read_text().splitlines()[0]
    assert "crest" in header
    compared = pd.read_csv(results / "tables/comparison.csv").set_index("learner")
    assert compared.loc[NEW, "test_accuracy"] >= 0
    assert NEW in (results / "report.html").read_text()
    timed = pd.read_csv(results / "tables/latency.csv")
    assert set(timed["step"][timed["name"] == NEW]) == {"model", "clip", "file"}
    assert "loudness" in set(timed["name"])
    assert_predicted_as_in_the_corpus(finished)


def assert_predicted_as_in_the_corpus(workdir):
    """Check that the new learner's bundle says of the corpus's files what its predictions say."""
    results = workdir / "results/tiny"
    listing = read_listing(results / "corpus/listing.json")
    files = {track.path: track.track_id for track in listing.tracks}
    told = pd.read_csv(results / "predicted/predictions.csv", dtype={"file": str})
    told.index = told["file"].map(files)
    corpus = pd.read_csv(results / f"grouped/{NEW}/predictions.csv", dtype={"track_id": str})
    corpus = corpus.set_index("track_id")
    genres = [name for name in corpus if name.startswith("p_")]
    found = told.loc[corpus.index, genres]
    np.testing.assert_allclose(found, corpus[genres], rtol=0, atol=6e-5)
