"""Whoever uses conda or a container gets the versions of the lock."""

import re
import runpy
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
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


def test_conda_environment_follows_the_lock():
    environment = runpy.run_path(str(ROOT / "envs/conda.py"))["environment"]
    text = environment(
        "one==1.0 \\\n    --hash=sha256:0\n    # via two\ntwo==2 ; python < '3' \\\n"
    )
    [pip] = [entry["pip"] for entry in yaml.safe_load(text)["dependencies"][2:]]
    assert pip == ["one==1.0", "two==2 ; python < '3'"]


def test_container_installs_the_lock_and_nothing_else_from_pip():
    recipe = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
    assert recipe.count("pip install") == 1
    assert "--require-hashes --requirement /tmp/requirements.lock" in recipe
