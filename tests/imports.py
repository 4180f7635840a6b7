"""What scripts import, as Python's own finder of modules sees it."""

from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
PYTHON = sorted(path.name for path in SCRIPTS.glob("*.py"))
WITHOUT_RESULT = ("genreflow.errors", "genreflow.runtime")
"""What of the library decides nothing that a result holds."""


@cache
def modules(script):
    """Return the files of the library that a script imports, directly or not, by their names."""
    finder = ModuleFinder(path=[str(SCRIPTS)])
    finder.run_script(str(SCRIPTS / script))
    return {
        name: Path(module.__file__)
        for name, module in finder.modules.items()
        if name.startswith("genreflow.") and not name.startswith(WITHOUT_RESULT)
    }


KINDS = {"handcrafted": "handcrafted", "image_network": "tiny"}
"""The feature set of the tests' corpus that is of a kind."""


PREPARATION = "genreflow.features.preparation"
"""What prepares the network of the tests' corpus."""


def users(module):
    """Return the scripts that import a module of the library.

    The kinds of feature sets are imported by name, as the sets of a run need them: for these it
    returns RULE/SET; and so is what prepares networks: the rule.
    """
    found = {script for script in PYTHON if module in modules(script)}
    for kind, name in KINDS.items():
        path = f"genreflow/features/kinds/{kind}.py"
        if module in {f"genreflow.features.kinds.{kind}", *modules(path)}:
            found |= {f"feature_shard/{name}", f"feature_matrix/{name}"}
    if module in {PREPARATION, *modules(f"{PREPARATION.replace('.', '/')}.py")}:
        found.add("network")
    return found
