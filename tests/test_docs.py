"""The pages say what the code does: every command in them runs, generated parts are current."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml
from genreflow import config
from genreflow.corpus import demo
from genreflow.features import recipes
from imports import modules
from made.tagged import genre_frame, id3
from snakemake.utils import update_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "results/README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = [
        line
        for page in PAGES
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]
    return [line for line in dict.fromkeys(lines) if not line.startswith(("git clone", "#"))]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Make a clone with the corpora that the pages' commands name, as empty files."""
    clone = tmp_path_factory.mktemp("clone")
    for name in ("Snakefile", "Makefile", "config.yaml"):
        shutil.copy(ROOT / name, clone)
    for name in ("rules", "scripts", "config", "envs", "profiles", "report"):
        shutil.copytree(ROOT / name, clone / name)
    (clone / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (clone / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (clone / ".venv/.installed").touch()
    music = clone / "my/music"
    for genre in ("Jazz", "Polka"):
        for number in range(8):
            path = music / genre / f"{number}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(id3(genre_frame(genre)))
    shutil.copytree(music / "Jazz", clone / "my/new")
    rows = [(f"music/{genre}/{n}.mp3", genre) for genre in ("Jazz", "Polka") for n in range(8)]
    pd.DataFrame(rows, columns=["path", "genre"]).to_csv(clone / "my/tracks.csv", index=False)
    (clone / "my/features.csv").touch()
    rows = [f"{genre}.{n}.wav,1.5,{genre}\n" for genre in ("jazz", "polka") for n in range(4)]
    (clone / "my/features_30_sec.csv").write_text("filename,rms_mean,label\n" + "".join(rows))
    for fma in (clone / "my/fma", clone / "data/fma"):
        tracks = demo.tracks(genres=2, clips_per_genre=5, seed=0, source=str(fma))
        demo.write_metadata(tracks, fma / "fma_metadata/tracks.csv")
        for track in tracks:
            path = Path(track.path.replace("fma_demo", "fma_small"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (fma / "fma_metadata/features.csv").touch()
    return clone


def dry(command: str) -> str:
    """Return a command with which nothing is made: the plan is."""
    if command.startswith("make"):
        return f"{command} ARGS=--dry-run"
    graph = "--rulegraph" in command or "--dry-run" in command
    # A report needs a finished run: tests/workflow/test_reports.py makes one.
    command = re.sub(r" --report \S+", "", command)
    return command if graph else f"{command} --dry-run"


def shell(command: str, place: Path) -> str:
    """Run a command where a reader would, and return what it prints."""
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", f'export PATH="{bin_folder}:$PATH"; {command}'],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_every_command_runs(command, place):
    shown = shell(dry(command), place)
    if re.match("make (run|predict|export)", command):
        assert "--dry-run" in shown


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


def test_there_are_commands_for_each_corpus():
    text = "\n".join(commands())
    assert "make run" in text
    assert "make run MUSIC=" in text
    assert "own_audio" in text
    assert "fma_small" in text


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
