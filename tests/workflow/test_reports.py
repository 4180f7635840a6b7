"""The reports of a finished run: the project's own page, and Snakemake's."""

import re

import harness
import pytest
from small_corpora import TINY


def learners():
    return [
        *(f"cnn/{variant}" for variant in TINY["cnn"]["run"]),
        "ffnn/4",
        "classify/handcrafted/all/logistic-regression",
        "classify/tiny/pool/pca-0.90/svm-linear",
        "ensemble/both",
    ]


def test_the_page_shows_every_learner_and_what_each_stage_cost(finished_module):
    page = (finished_module / "results/tiny/report.html").read_text()
    assert [learner for learner in learners() if learner not in page] == []
    for rule in ("wav", "cnn_search", "feature_shard", "classify"):
        assert re.search(rf">\s*{rule}\s*<", page), f"no costs of {rule}"
    assert len(re.findall("data:image/webp", page)) >= 3  # test tracks have their image


def test_the_page_has_a_section_of_all_that_a_run_makes(finished_module):
    """What the page is made from is an input of its rule: a file beside it isn't looked for."""
    page = (finished_module / "results/tiny/report.html").read_text()
    places = re.findall(r'<a href="#(\w+)">', re.search("<nav.*?</nav>", page, re.S)[0])
    assert places == [
        *("overview", "ranking", "genres", "errors", "map", "calibration"),
        *("learners", "figures", "tables", "run"),
    ]


@pytest.mark.slow
def test_snakemakes_own_report_has_captions_and_categories(finished_module):
    path = finished_module / "snakemake.html"
    made = harness.snakemake(finished_module, "--configfile", "tiny.yaml", "--report", path)
    assert made.returncode == 0, made.stderr
    page = path.read_text()
    categories = ("Ranking", "Confusion matrices", "Learning curves", "Searches", "Features")
    assert [name for name in categories if name not in page] == []
    assert "tests between learners" in page
    assert [learner for learner in learners() if learner not in page] == []
