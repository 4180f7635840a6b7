"""The profiles name rules that there are, and all that they must name."""

import re
from pathlib import Path

import yaml
from genreflow.runtime import digest

ROOT = Path(__file__).parents[1]
RULES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
NAMES = set(re.findall(r"^ *rule (\w+):", RULES, re.MULTILINE))


def profile(name):
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


def test_profiles_name_rules_that_there_are():
    for name in ("slurm", "cluster-generic", "gpu"):
        settings = profile(name)
        named = settings.get("set-resources", {}).keys() | settings.get("groups", {}).keys()
        assert named - NAMES == set(), name


def test_clusters_differ_in_how_jobs_are_sent_only():
    own = ("executor", "cluster-generic-", "seconds-between-status-checks")
    kept = [
        {key: value for key, value in profile(name).items() if not key.startswith(own)}
        for name in ("slurm", "cluster-generic")
    ]
    # Resources of SLURM's plugin alone; `set-resources` names no others.
    resources = kept[0].pop("set-resources").values()
    assert {name.split("_")[0] for named in resources for name in named} == {"slurm"}
    assert kept[0] == kept[1]
    text = (ROOT / "profiles/default/profile.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text).items() <= kept[0].items()


def test_whatever_uses_tensorflow_has_the_card_for_itself():
    backend = ROOT / "scripts/genreflow/features/backend.py"
    # What a script imports by name, as the configuration asks for it.
    further = {"network": [ROOT / "scripts/genreflow/features/preparation.py"]}
    using = {
        name
        for name in NAMES
        if (script := ROOT / f"scripts/{name}.py").exists()
        and backend in digest.closure(script, *further.get(name, []))
    }
    assert "cnn" in using
    settings = profile("gpu")
    assert settings["set-resources"] == {name: {"gpu": 1} for name in using}
    assert settings["resources"] == {"gpu": 1}
