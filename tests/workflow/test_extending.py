"""The page on extending says what is true: its Python and settings are put in and run."""

import re

import harness
import pytest
import yaml
from conftest import TINY, merged
from genreflow import config

PAGE = harness.ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)

MADE = [
    "grouped/cnn/coarse/seed-0/predictions.csv",
    "grouped/cnn/wide/seed-0/predictions.csv",
    "grouped/classify/handcrafted/all/nearest/predictions.csv",
    "grouped/classify/handcrafted/all/svm-rbf/predictions.csv",
    "grouped/ensemble/mine/predictions.csv",
]
"""What the examples add. The backbone of its example has weights that can't be had offline."""


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
        if "transfer" not in example:
            whole = merged(whole, example)
    members = ["cnn/wide", "classify/handcrafted/all/svm-rbf"]
    assert whole["ensembles"]["members"]["mine"]["of"][1] == members[1]
    return merged(whole, {"ensembles": {"members": {"mine": {"of": members}}}})


def test_the_backbone_of_the_example_is_valid():
    (text,) = [text for _, text in blocks("yaml") if "transfer" in text]
    whole = merged(yaml.safe_load((harness.ROOT / "config.yaml").read_text()), yaml.safe_load(text))
    assert "avg_pool" in config.complete(whole)["transfer"]["backbones"]["efficientnetb0"]["cuts"]


@pytest.mark.slow
def test_every_example_runs(extended, finished):
    (finished / "more.yaml").write_text(yaml.safe_dump(settings()))
    targets = [f"results/tiny/{path}" for path in MADE]
    done = harness.snakemake(finished, *targets, "--configfile", "more.yaml", root=extended)
    assert done.returncode == 0, done.stderr
    assert [path for path in targets if not (finished / path).exists()] == []
    header = (finished / "results/tiny/features/handcrafted.csv").read_text().splitlines()[0]
    assert "crest" in header
