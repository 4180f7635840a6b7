"""The profiles name rules that there are, and all that they must name."""

import re
from pathlib import Path

import yaml
from genreflow import digest

ROOT = Path(__file__).parents[2]
RULES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
NAMES = set(re.findall(r"^ *rule (\w+):", RULES, re.MULTILINE))


def profile(name):
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


def test_profiles_name_rules_that_there_are():
    for name in ("slurm", "cluster-generic", "gpu"):
        settings = profile(name)
        named = settings["set-resources"].keys() | settings.get("groups", {}).keys()
        assert named - NAMES == set(), name


def test_clips_are_sent_in_the_same_way_everywhere():
    keys = ("groups", "group-components", "resources", "set-resource-scopes", "set-resources")
    slurm, generic = profile("slurm"), profile("cluster-generic")
    assert {key: slurm[key] for key in keys} == {key: generic[key] for key in keys}


def test_whatever_uses_tensorflow_has_the_card_for_itself():
    backend = ROOT / "scripts/genreflow/backend.py"
    using = {
        name
        for name in NAMES
        if (script := ROOT / f"scripts/{name}.py").exists() and backend in digest._imported(script)
    }
    assert "cnn" in using
    settings = profile("gpu")
    assert settings["set-resources"] == {name: {"gpu": 1} for name in using}
    assert settings["resources"] == {"gpu": 1}
