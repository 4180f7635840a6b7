"""Whoever uses conda or a container gets the versions of the lock."""

import importlib.util
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made import checkouts
from packaging.requirements import Requirement
from snakemake.common.configfile import load_configfile

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "envs/requirements.lock").read_text(encoding="utf-8")


def locked():
    """Return what the lock pins, one requirement for each version."""
    lines = [line.removesuffix("\\") for line in LOCK.splitlines() if re.match(r"\w", line)]
    return [Requirement(line) for line in lines]


def test_conda_environments_name_the_versions_of_the_lock():
    used = set()
    for rules in (ROOT / "rules").glob("*.smk"):
        places = re.findall(r'conda:\s+"(.+?)"', rules.read_text(encoding="utf-8"))
        used |= {(rules.parent / place).resolve() for place in places}
    assert used == set((ROOT / "envs").glob("*.yaml"))
    for path in used:
        [pip] = [
            entry["pip"]
            for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
            if isinstance(entry, dict)
        ]
        assert list(map(Requirement, pip)) == locked(), "run `make lock`"


def test_one_build_of_tensorflow_is_installed_on_each_machine():
    builds = [one for one in locked() if one.name.startswith("tensorflow")]
    processors = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64",), "win32": ("AMD64",)}
    for system, machines in processors.items():
        for machine in machines:
            place = {"sys_platform": system, "platform_machine": machine}
            found = [one.name for one in builds if one.marker.evaluate(place)]
            # The build for processors has wheels for no other machine.
            own = "tensorflow-cpu" if (system, machine) == ("linux", "x86_64") else "tensorflow"
            assert found == [own], place


def test_the_page_on_cards_names_the_version_of_the_lock():
    page = (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
    [build] = [one for one in locked() if one.name == "tensorflow-cpu"]
    assert f'"tensorflow[and-cuda]{build.specifier}"' in page


def test_conda_environment_follows_the_lock():
    environment = runpy.run_path(str(ROOT / "envs/conda.py"))["environment"]
    text = environment(
        "one==1.0 \\\n    --hash=sha256:0\n    # via two\ntwo==2 ; python < '3' \\\n"
    )
    [pip] = [entry["pip"] for entry in yaml.safe_load(text)["dependencies"][2:]]
    assert pip == ["one==1.0", "two==2 ; python < '3'"]


def test_advisories_count_unless_they_are_accepted():
    spec = importlib.util.spec_from_file_location("audit", ROOT / "envs/audit.py")
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    vulns = [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}]
    packages = [{"name": "a", "version": "1", "vulns": vulns}, {"name": "b", "skip_reason": "?"}]
    report = json.dumps({"dependencies": packages})
    assert audit.findings(report, {}) == ["a 1: PYSEC-1, mended in 2"]
    assert audit.findings(report, {"CVE-1": "why"}) == []
    assert audit.findings("no network", {}) is None
    assert audit.findings(json.dumps({"dependencies": packages[1:]}), {}) is None


def test_container_installs_the_lock_and_nothing_else_from_pip():
    recipe = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
    assert recipe.count("pip install") == 1
    assert "--require-hashes --requirement /tmp/requirements.lock" in recipe


def test_conda_and_container_take_a_python_that_make_takes():
    fitting = re.search('^fitting="(.*)"$', (ROOT / "envs/python.sh").read_text(), re.MULTILINE)
    environment = yaml.safe_load((ROOT / "envs/genreflow.yaml").read_text())
    version = environment["dependencies"][0].removeprefix("python=")
    assert version in fitting[1].split()
    recipe = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"FROM python:([0-9.]+)-slim", recipe)[1] == version
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(
        number in re.search("You need Python .*", readme)[0] for number in fitting[1].split()
    )


class TestPython:
    """Which Python make takes, with stand-ins for what a machine may have."""

    @pytest.fixture
    def machine(self, tmp_path):
        """Return the folder of a machine's programs: a shell and nothing else."""
        programs = tmp_path / "bin"
        programs.mkdir()
        for name in ("sh", "mktemp", "rm"):
            (programs / name).symlink_to(shutil.which(name))
        return programs

    def add(self, machine, name, version, *, venv=True, more=""):
        """Add a Python that says it is of a version."""
        program = machine / name
        program.write_text(
            f"#!{sys.executable}\n"
            "import sys\n"
            f"sys.version_info = ({version.replace('.', ', ')}, 0)\n"
            f"if not {venv}: sys.modules['ensurepip'] = None\n"
            f"{more}\n"
            "if sys.argv[1] != '-c': sys.exit('this is a stand-in')\n"
            "exec(sys.argv[2])\n"
        )
        program.chmod(0o755)

    def which(self, machine, *named):
        return self.ask(machine, "--which", *named)

    def ask(self, machine, *arguments, home="/nowhere"):
        return subprocess.run(
            [shutil.which("sh"), ROOT / "envs/python.sh", *arguments],
            env={"PATH": str(machine), "HOME": str(home)},
            capture_output=True,
            text=True,
        )

    def test_the_newest_that_fits_is_taken(self, machine):
        self.add(machine, "python3.14", "3.14")
        self.add(machine, "python3", "3.14")
        self.add(machine, "python3.11", "3.11")
        self.add(machine, "python3.12", "3.12")
        assert self.which(machine).stdout == f"{machine}/python3.12\n"

    def test_a_shim_that_leads_nowhere_and_one_without_venv_are_passed_over(self, machine):
        (machine / "python3.13").write_text("#!/bin/sh\necho not found >&2; exit 127\n")
        (machine / "python3.13").chmod(0o755)
        self.add(machine, "python3.12", "3.12", venv=False)
        self.add(machine, "python3", "3.11")
        assert self.which(machine).stdout == f"{machine}/python3\n"

    def test_one_further_back_on_the_path_is_taken_where_the_first_lacks_venv(
        self, machine, tmp_path
    ):
        further = tmp_path / "further back"
        further.mkdir()
        self.add(machine, "python3.12", "3.12", venv=False)
        self.add(further, "python3.12", "3.12")
        assert self.which(f"{machine}:{further}").stdout == f"{further}/python3.12\n"

    def test_one_that_only_pyenv_has_is_found_though_its_shim_fails(self, machine, tmp_path):
        self.add(machine, "python3", "3.11")
        (machine / "python3.13").write_text("#!/bin/sh\necho not found >&2; exit 127\n")
        (machine / "python3.13").chmod(0o755)
        folder = tmp_path / ".pyenv/versions/3.13.0/bin"
        folder.mkdir(parents=True)
        self.add(folder, "python", "3.13")
        assert self.which(machine).stdout == f"{machine}/python3\n"
        assert self.ask(machine, "--newest", home=tmp_path).stdout == f"{folder}/python\n"
        (machine / "python3").unlink()
        assert self.ask(machine, "--which", home=tmp_path).stdout == f"{folder}/python\n"

    def test_one_without_the_global_lock_is_passed_over(self, machine):
        self.add(machine, "python3.13", "3.13", more="sys._is_gil_enabled = lambda: False")
        self.add(machine, "python3.11", "3.11")
        assert self.which(machine).stdout == f"{machine}/python3.11\n"
        assert "of another kind" in self.which(machine, f"{machine}/python3.13").stderr

    def test_one_that_uv_has_is_taken_where_none_fits(self, machine):
        self.add(machine, "python3", "3.14")
        (machine / "uv").write_text('#!/bin/sh\n[ "$2" = find ] && echo /managed/python3.13\n')
        (machine / "uv").chmod(0o755)
        assert self.which(machine).stdout == "/managed/python3.13\n"

    def test_where_none_is_to_be_had_one_line_says_what_to_do(self, machine):
        self.add(machine, "python3", "3.14")
        self.add(machine, "python3.12", "3.12", venv=False)
        done = self.which(machine)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "python3.12 is 3.12 without venv, python3 is 3.14" in done.stderr
        assert "make PYTHON=" in done.stderr

    def test_a_machine_without_python_is_told_so(self, machine):
        assert "here is no Python at all" in self.which(machine).stderr

    @pytest.mark.parametrize("version", ["3.10", "3.14"])
    def test_one_that_is_named_and_does_not_fit_is_refused(self, machine, version):
        self.add(machine, "python3.13", "3.13")
        self.add(machine, "mine", version)
        done = self.which(machine, "mine")
        assert done.returncode == 1
        assert f"mine is {version}" in done.stderr

    def test_an_environment_is_kept_unless_its_python_is_gone_or_another_is_named(
        self, machine, tmp_path
    ):
        def kept(*named):
            command = ["sh", ROOT / "envs/python.sh", "--keep", tmp_path / "venv", *named]
            return subprocess.run(
                command, env={"PATH": str(machine)}, capture_output=True, text=True
            ).stdout

        (tmp_path / "venv/bin").mkdir(parents=True)
        assert kept() == ""
        self.add(tmp_path / "venv/bin", "python", "3.12")
        assert kept() == "yes\n"
        self.add(machine, "python3.13", "3.13")
        assert kept("python3.13") == ""
        self.add(machine, "python3.12", "3.12")
        assert kept("python3.12") == "yes\n"


class TestMake:
    """What users give to make reaches Snakemake as it is, and nothing of it runs."""

    @pytest.fixture
    def checkout(self, tmp_path):
        """Return a checkout whose Snakemake writes down its arguments."""
        return checkouts.write(tmp_path / "checkout")

    def make(self, checkout, *arguments):
        # Keeps .venv/bin/python what it is: Python finds its folder by the name it was called by.
        return subprocess.run(
            ["make", *arguments], cwd=checkout, capture_output=True, text=True, timeout=60
        )

    def settings(self, checkout):
        """Return the settings of the last call, as Snakemake reads them."""
        called = checkouts.calls(checkout)[-1]
        [path] = [value for value in called if value.startswith(".genreflow/")]
        return load_configfile(checkout / path)

    @pytest.mark.parametrize(
        "name",
        [
            "x;touch PWN",
            "$(shell touch PWN)",
            "$(touch PWN)",
            "`touch PWN`",
            "${MAKE}",
            "Drum and Bass",
            "R&B/it's.wav",
            'the "best"',
            "2020_01_01",
            "{braces}, [and] #more: of it",
            "100%",
            "back\\slash",
            'it\'s "both"; $(touch PWN)',
            "\N{MULTIPLE MUSICAL NOTES} \N{LATIN SMALL LETTER E WITH ACUTE} \x7f",
            "not utf-8 \udcff",
        ],
    )
    def test_names_arrive_as_they_are_and_nothing_runs(self, checkout, name):
        (checkout / name).mkdir(parents=True)
        paths = {"corpus": {"audio": name}, "predict": {"path": name}}
        tags = {"corpus": {"kind": "tags", "audio": name}}
        for given, expected in (
            (["predict", f"MUSIC={name}", f"FILES={name}"], paths),
            (["tags", f"FOLDER={name}"], tags),
        ):
            done = self.make(checkout, *given)
            assert done.returncode == 0, done.stderr
            assert self.settings(checkout) == expected
            assert "config/own_audio.yaml" in checkouts.calls(checkout)[-1]
            assert not (checkout / "PWN").exists()

    @pytest.mark.parametrize("key", ["CONFIG", "CORES", "ARGS", "MUSIC", "FILES", "FOLDER"])
    @pytest.mark.parametrize("target", ["run", "predict", "tags", "export"])
    def test_no_value_runs(self, checkout, key, target):
        self.make(checkout, target, f"{key}=$(shell touch PWN); touch PWN; $(touch PWN)")
        assert not (checkout / "PWN").exists()

    def test_a_link_in_the_place_of_settings_is_replaced_not_followed(self, checkout):
        (checkout / "new.mp3").touch()
        self.make(checkout, "predict", "FILES=new.mp3")
        [settings] = (checkout / ".genreflow").glob("make-*")
        settings.unlink()
        (checkout / "other").write_text("of somebody else")
        settings.symlink_to(checkout / "other")
        self.make(checkout, "predict", "FILES=new.mp3")
        assert self.settings(checkout) == {"predict": {"path": "new.mp3"}}
        assert (checkout / "other").read_text() == "of somebody else"

    def test_home_is_found(self, checkout, monkeypatch):
        monkeypatch.setenv("HOME", str(checkout / "home"))
        (checkout / "home/Music").mkdir(parents=True)
        self.make(checkout, "run", "MUSIC=~/Music")
        assert self.settings(checkout) == {"corpus": {"audio": str(checkout / "home/Music")}}

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["run", "MUSIC=nowhere"], "MUSIC=nowhere: there is no such folder"),
            (["run", "MUSIC=Makefile"], "MUSIC=Makefile: there is no such folder"),
            (["run", "MUSIC=~nobody-of-that-name/x"], "there is no such folder"),
            (["run", "CONFIG=nowhere.yaml"], "CONFIG=nowhere.yaml: there is no such file"),
            (["run", "CONFIG=Makefile"], "CONFIG=Makefile: can't be read as YAML"),
            (["run", "CORES=0"], "CORES=0: expected how many cores"),
            (["run", "CORES=two"], "CORES=two: expected how many cores"),
            (["run", "ARGS='"], "can't be taken apart"),
            (["predict", "FILES=nowhere"], "FILES=nowhere: there is no such"),
            (["predict"], "Give FILES=PATH"),
            (["tags"], "Give FOLDER=PATH"),
            (["tags", "FOLDER=Makefile"], "FOLDER=Makefile: there is no such folder"),
            (["run", "MUSIC=envs", "CONFIG=config/fma_small.yaml"], "can't be given with it"),
        ],
    )
    def test_what_can_not_be_is_refused_in_one_line(self, checkout, arguments, said):
        done = self.make(checkout, *arguments)
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert not (checkout / "called").exists()

    def test_tags_are_shown_with_settings_of_own_music_or_those_that_are_given(self, checkout):
        (checkout / "mine.yaml").touch()
        (checkout / "music").mkdir()
        for given in ("config/own_audio.yaml", "mine.yaml"):
            self.make(checkout, "tags", "FOLDER=music", *([f"CONFIG={given}"] * (given[0] == "m")))
            called = checkouts.calls(checkout)[-1]
            assert called[0] == "tags" and given in called

    def test_a_corpus_from_elsewhere_is_fetched_first(self, checkout):
        self.make(checkout, "run", "CONFIG=config/fma_small.yaml", "CORES=3", "ARGS=--quiet rules")
        rest = ["--cores", "3", "--configfile", "config/fma_small.yaml", "--quiet", "rules"]
        assert checkouts.calls(checkout) == [["fetch", *rest], rest]
