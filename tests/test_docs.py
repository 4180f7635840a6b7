"""The pages say what the code does: their examples are valid, generated parts are current."""

import re
import runpy
import sys
from pathlib import Path

import h5py
import pytest
import yaml
from genreflow import config
from genreflow.features import recipes
from imports import modules
from snakemake.utils import update_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "results/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def settings() -> list[str]:
    found = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
    # Those on extending need what the page adds: tests/workflow/test_extending.py runs them.
    pages = [page for page in PAGES if page.name != "extending.md"]
    return [block for page in pages for block in found.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("text", settings())
def test_every_example_of_settings_is_valid(text):
    whole = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(whole, yaml.safe_load(text))
    assert config.complete(whole)


def generated():
    """Return the module docs/generate.py."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate
    finally:
        sys.path.pop(0)
    return generate


def test_configuration_page_is_current():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert page == generated().configuration(), "run `make docs`"


def test_rule_graph_is_current():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert text == generated().with_rule_graph(text), "run `make docs`"


def test_links_within_the_repository_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


LIBRARY = ROOT / "scripts/genreflow"


def test_code_that_the_pages_name_is_there():
    for page in PAGES:
        named = re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|sh|smk))`", page.read_text(encoding="utf-8"))
        for name in named:
            places = (ROOT / name, LIBRARY / name)
            assert any(path.exists() for path in places), f"{page.name} names {name}"


def test_a_clip_is_followed_through_rules_scripts_and_modules_that_are_there():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    steps = re.findall(
        r"^\| (.*?) \| (.*?) \| (.*?) \|", page.split("## A ")[1], flags=re.MULTILINE
    )[1:]
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob("rules/*.smk")]
    known = {name for text in texts for name in re.findall(r"(?:rule| as) (\w+)(?::| with)", text)}
    assert len(steps) > 15
    for step in steps:
        rules, scripts, paths = (re.findall(r"`([\w/.]+)`", cell) for cell in step)
        assert rules and set(rules) <= known
        used = {name for one in scripts if one.endswith(".py") for name in modules(one)}
        if scripts == ["network.py"]:  # a plan tells it the module
            used |= {"genreflow.features.preparation"}
            used |= {one.package.builder for one in recipes.known().values() if one.package}
        named = [f"genreflow.{path[:-3].replace('/', '.')}" for path in paths if path[-1] != "/"]
        assert scripts == ["wav.sh"] or (named and set(named) <= used), step


def test_the_tree_of_the_library_is_whole():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    told = set(
        re.findall(r"(?<= )(\w+)(?:/|\.py) ", page.split("the library\n")[1].split("tests/")[0])
    )
    there = {path.stem for path in LIBRARY.iterdir()} - {"__init__", "__pycache__"}
    assert told == there


def test_every_dependency_has_a_reason_in_readme():
    listed = (ROOT / "envs/requirements.in").read_text(encoding="utf-8")
    names = re.findall(r"^([a-z][a-z0-9-]+)", listed, re.MULTILINE)
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("| package |")[1]
    assert names
    assert [name for name in names if name not in table] == []


def test_reliability_page_has_every_fault_that_the_tests_inject():
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    tests = (ROOT / "tests/workflow/test_faults.py").read_text(encoding="utf-8")
    faults = re.findall(r'fault=f?"([^"{]+)|: \("(SIGKILL[^"]*|Ctrl-C[^"]*)"', tests)
    assert len(faults) > 5
    assert [one or other for one, other in faults if (one or other) not in page] == []


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/reliability.md"])
def test_the_version_of_hdf5_that_is_known_to_have_faults_is_the_one_that_is_used(page):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert f"HDF5 {h5py.version.hdf5_version}" in text and f"h5py {h5py.__version__}" in text
    assert "sandbox" in text
    advisories = runpy.run_path(str(ROOT / "envs/audit.py"))["ACCEPTED"]
    assert advisories and all(one in text for one in advisories)
