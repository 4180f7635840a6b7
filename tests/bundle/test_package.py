"""The library, installed from its wheel beside what it asks for and nothing else."""

import csv
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from genreflow.runtime.extras import EXTRAS
from made.tagged import genre_frame, id3
from made.trained_corpus import GENRES, LOGISTIC
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = PROJECT["optional-dependencies"]
EAR, KERAS = "classify/ear/bands/all/lda", "ffnn/8"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def test_whatever_is_asked_for_is_in_the_lock_in_versions_that_fit():
    locked = {}
    for name, version in PINNED.findall((ROOT / "envs/requirements.lock").read_text()):
        locked.setdefault(name, []).append(version)
    for one in map(Requirement, [*PROJECT["dependencies"], *chain(*OPTIONAL.values())]):
        assert locked.get(one.name), f"{one.name} is not in the lock"
        assert all(map(one.specifier.contains, locked[one.name])), (one, locked[one.name])


def test_errors_know_the_extras():
    # The packages of a module are those of which one fits each machine.
    named = {
        extra: tuple(dict.fromkeys(one.name.partition("-")[0] for one in map(Requirement, wanted)))
        for extra, wanted in OPTIONAL.items()
    }
    assert named == EXTRAS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "scripts", source / "scripts")
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", target, source)
    return next(target.iterdir())


def pip(command, *args, python=sys.executable):
    start = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    done = subprocess.run(
        [*start, command, "--quiet", "--no-index", *args], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def files_with(requirements):
    """Yield what lies in site-packages for requirements and all that these ask for."""
    waiting, seen = [(Requirement(one), "") for one in requirements], set()
    while waiting:
        one, extra = waiting.pop()
        if (one.name, extra) in seen or (one.marker and not one.marker.evaluate({"extra": extra})):
            continue
        seen.add((one.name, extra))
        found = metadata.distribution(one.name)
        yield from {
            found.locate_file(path.parts[0]) for path in found.files if path.parts[0] != ".."
        }
        waiting += [
            (Requirement(further), which)
            for further in found.requires or ()
            for which in ("", *one.extras)
        ]


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return what runs the command of an environment with some extras, in a folder."""

    def made(*extras):
        place = tmp_path_factory.mktemp("environment")
        venv.create(place, symlinks=True)
        [packages] = place.glob("lib/python*/site-packages")
        asked = [*PROJECT["dependencies"], *(one for extra in extras for one in OPTIONAL[extra])]
        for path in set(files_with(asked)):
            if path.name != "__pycache__":
                (packages / path.name).symlink_to(path)
        pip("install", "--no-deps", "--no-compile", wheel, python=place / "bin/python")

        def run(folder, *args):
            environment = {key: os.environ[key] for key in os.environ if key != "PYTHONPATH"}
            command = [place / "bin/genreflow", *args]
            return subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True
            )

        return run

    return made


@pytest.fixture(scope="module")
def base(installed):
    return installed()


def test_all_that_lies_beside_the_modules_is_in_the_wheel(wheel, tmp_path):
    shutil.unpack_archive(wheel, tmp_path, "zip")
    library = ROOT / "scripts/genreflow"
    wanted = {path.relative_to(library) for path in library.rglob("*") if path.is_file()}
    there = {path.relative_to(tmp_path / "genreflow") for path in tmp_path.rglob("genreflow/**/*")}
    assert {one for one in wanted if "__pycache__" not in one.parts} <= there
    assert not (tmp_path / "classify.py").exists()


def test_a_bundle_predicts_as_in_the_checkout(base, bundled, predictor, corpus, tmp_path):
    given = ["--output", "made.csv", "--page", "page.html", "--playlists", "lists"]
    done = base(tmp_path, "predict", bundled(LOGISTIC), corpus.files[0], *given)
    assert done.returncode == 0, done.stderr
    assert "differ" not in done.stderr
    [row] = csv.DictReader((tmp_path / "made.csv").open())
    expected = predictor(LOGISTIC).predict(corpus.files[0])
    assert row["predicted"] == expected.predicted
    found = [float(row[f"p_{genre}"]) for genre in GENRES]
    assert found == pytest.approx(expected.probabilities, abs=1e-4)
    assert "<html" in (tmp_path / "page.html").read_text()
    assert list((tmp_path / "lists").iterdir())


def test_what_the_tags_say_is_shown(base, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music/a.mp3").write_bytes(id3(genre_frame("Polka")))
    done = base(tmp_path, "tags", "music")
    assert done.returncode == 0, done.stderr
    assert "Polka" in done.stdout and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["music"]
    lost = base(tmp_path, "tags", "nowhere")
    assert lost.returncode == 2 and "nowhere" in lost.stderr and "Traceback" not in lost.stderr


@pytest.mark.parametrize(
    ("name", "wanted"), [(EAR, OPTIONAL["networks"]), (KERAS, OPTIONAL["keras"])]
)
def test_a_missing_extra_is_one_line_with_the_command(
    base, bundled, corpus, tmp_path, name, wanted
):
    done = base(tmp_path, "predict", bundled(name), corpus.files[0])
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    named = map(Requirement, re.findall("'(.*?)'", done.stderr.partition("pip install")[2]))
    fitting = [one for one in map(Requirement, wanted) if not one.marker or one.marker.evaluate()]
    assert {(one.name, one.specifier) for one in named} == {
        (one.name, one.specifier) for one in fitting
    }


def test_the_card_names_the_command_and_its_extras(bundled):
    for name, extras in ((LOGISTIC, ""), (EAR, "[networks]"), ("ensemble/mean", "[keras]")):
        card = (bundled(name) / "README.md").read_text()
        assert f"pip install './genreflow{extras}'" in card
        assert f"\ngenreflow predict {bundled(name).name} FILES...\n" in card


def test_networks_run_with_their_extra_alone(installed, bundled, corpus, tmp_path):
    done = installed("networks")(tmp_path, "predict", bundled(EAR), corpus.files[0])
    assert done.returncode == 0, done.stderr
    assert Path(corpus.files[0]).name in done.stdout
