import ast
import functools
import inspect
import itertools
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from genreflow import layout as module
from genreflow import split_names
from genreflow.errors import GenreflowError
from genreflow.layout import CLASSIFIER, COMBINER, NETWORK, PATTERNS, Fitted, Layout

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS = ROOT / "docs" / "artifacts.md"
LAYOUT = Layout("results/my music")

LEARNERS = {
    "cnn/{variant}": (0, 7, 123),
    "ffnn/{units}": (0, 7, 123),
    "classify/{features}/{pca}/{classifier}": (None,),
    "ensemble/{ensemble}": (None,),
}
"""Every kind of learner, with seeds."""

NAMES = {
    "variant": ("simple", "seed-1", "tuned-augmented", "search"),
    "units": ("64", "512-256-64", "table/own/64"),
    "features": ("handcrafted", "vgg16/fc2", "joined/both", "a/b/c"),
    "pca": ("all", "pca-0.90", "pca-0.995"),
    "classifier": ("svm-rbf", "lda", "search"),
    "ensemble": ("best", "seed-1", "all-3"),
}
"""What wildcards may stand for, some of it nasty."""

FILES = [name for name, kind in vars(Fitted).items() if isinstance(kind, property)]
FILES.remove("folder")


def fill(pattern, rng):
    return re.sub(r"\{(\w+)\}", lambda found: rng.choice(NAMES[found[1]]), pattern)


def some_fitted():
    """Yield trainings of all kinds of learners, on all kinds of splits."""
    rng = random.Random(0)
    expanded = split_names.expand([*split_names.SINGLE, "cv-2x3"])
    for kind, seeds in LEARNERS.items():
        for _ in range(50):
            yield LAYOUT.fitted(rng.choice(expanded), fill(kind, rng), rng.choice(seeds))


def files_of(fitted):
    return [getattr(fitted, name) for name in FILES] + [
        fitted.model(name) for name in (NETWORK, CLASSIFIER, COMBINER)
    ]


def test_the_names_are_ones_that_the_wildcards_match():
    for wildcard, names in NAMES.items():
        assert [name for name in names if not re.fullmatch(PATTERNS[wildcard], name)] == []


@pytest.mark.parametrize("fitted", dict.fromkeys(some_fitted()), ids=lambda fitted: fitted.folder)
def test_a_path_leads_back_to_split_learner_and_seed(fitted):
    for path in files_of(fitted):
        assert LAYOUT.parse(path) == fitted
        assert LAYOUT.parse(Path(path)) == fitted


def test_different_trainings_share_no_file():
    trainings = dict.fromkeys(some_fitted())
    paths = [path for fitted in trainings for path in files_of(fitted)]
    assert len(paths) == len(set(paths)) > 500


def test_a_pattern_that_is_filled_is_the_path():
    """What rules declare and what scripts are given is the same file."""
    wildcards = {"split": "cv-1x3-r1-f02", "learner": "cnn/simple", "seed": 3, "track": "a.b"}
    pattern = LAYOUT.fitted("{split}", "{learner}", "{seed}").history
    assert pattern.format(**wildcards) == LAYOUT.fitted("cv-1x3-r1-f02", "cnn/simple", 3).history
    assert LAYOUT.wav("{track}").format(**wildcards) == LAYOUT.wav("a.b")


def methods():
    """Return everything of a layout that gives a path, as (name, its arguments)."""
    for name, kind in vars(Layout).items():
        if name.startswith("_") or name in ("of_corpus", "fitted", "parse"):
            continue
        if isinstance(kind, property):
            yield name, ()
        elif callable(kind):
            needed = [
                parameter.name
                for parameter in list(inspect.signature(kind).parameters.values())[1:]
                if parameter.default is parameter.empty
            ]
            yield name, tuple(f"{{{one}}}" for one in needed)


def path_of(name, arguments):
    found = getattr(LAYOUT, name)
    return found(*arguments) if arguments else found


def test_every_path_lies_below_the_root_and_is_of_one_thing():
    paths = {name: path_of(name, arguments) for name, arguments in methods()}
    assert len(paths) > 25
    assert [path for path in paths.values() if not path.startswith(f"{LAYOUT.root}/")] == []
    assert len(set(paths.values())) == len(paths)


def test_no_other_path_passes_for_one_of_a_learner():
    for name, arguments in methods():
        with pytest.raises(GenreflowError, match="expected SPLIT/LEARNER"):
            LAYOUT.parse(path_of(name, arguments))
    figure = LAYOUT.figure("official", "cnn/simple", "confusion_matrix", ending="csv")
    with pytest.raises(GenreflowError, match="confusion_matrix"):
        LAYOUT.parse(figure)


@pytest.mark.parametrize(
    "path",
    [
        "predictions.csv",
        "official/predictions.csv",
        "official/cnn/predictions.csv",
        "official/cnn/simple/seed-0",
        "official/cnn/simple/seed-0/other.csv",
        "official/cnn/simple/seed-0/.part-predictions.csv",
        "/elsewhere/official/cnn/simple/seed-0/predictions.csv",
        "results/official/cnn/simple/seed-0/predictions.csv",
    ],
)
def test_what_is_no_file_of_a_learner_is_refused_with_its_path(path):
    path = path if path.startswith(("/", "results")) else f"{LAYOUT.root}/{path}"
    with pytest.raises(GenreflowError) as raised:
        LAYOUT.parse(path)
    assert str(raised.value).startswith(f"{path}: expected SPLIT/LEARNER/[seed-N/]FILE below")


def test_traces_of_jobs_tell_rules_apart():
    traces = [
        of(rule, *wildcards)
        for of, (rule, wildcards) in itertools.product(
            (LAYOUT.log, LAYOUT.benchmark),
            [("wav", ("1",)), ("cnn", ("grouped", "simple", "seed-0")), ("tables", ())],
        )
    ]
    assert len(set(traces)) == 6
    assert LAYOUT.log("cnn", "grouped", "simple", "seed-0").endswith(
        "/cnn/grouped/simple/seed-0.log"
    )


def documented():
    """Return the paths of the table of docs/artifacts.md, a folder's files each on its own."""
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", ARTIFACTS.read_text(), flags=re.MULTILINE)
    found = {(path, about) for cell, about in rows for path in re.findall("`(.+?)`", cell)}
    named = {path: re.findall(r"`(\w+\.\w+)`", about) for path, about in found}
    files = {f"{path}{name}" for path in named if path.endswith("/") for name in named[path]}
    return {path.rstrip("/") for path in named}, files


def laid_out():
    """Return all paths as the docs name them, below the root: SPLIT for {split}."""
    paths = [path_of(*one) for one in methods()]
    for kind, seeds in LEARNERS.items():
        fitted = LAYOUT.fitted("{split}", kind, None if None in seeds else "{n}")
        paths += [fitted.folder, *files_of(fitted)]
    # Only CNNs are searched.
    paths = [path.replace("{learner}", "cnn/{variant}") for path in paths]
    upper = [re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path) for path in paths]
    return {path.removeprefix(f"{LAYOUT.root}/") for path in upper}


def folders(path):
    return set(map(str, Path(path).parents)) - {"."}


def test_the_docs_name_all_paths_and_no_others():
    """The results of a finished run lie there, too: whoever changes one tells its users."""
    known, files = documented()
    paths = laid_out()
    inner = set().union(*map(folders, paths))
    assert known - paths - inner == set()
    assert files - paths - {"networks/FEATURE_SET/network.json"} == set()
    # Whoever knows a folder knows what is in it, and a folder is known by what is in it.
    assert {path for path in paths - inner if known.isdisjoint({path} | folders(path))} == set()


def test_it_needs_nothing_but_the_standard_library():
    """Each job of a cluster parses the workflow, and imports it."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); before = set(sys.modules)\n"
    code += "import genreflow.layout\nprint(*sys.modules.keys() - before)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name.split(".")[0] for name in shown.stdout.split()}
    assert found - {"genreflow"} <= sys.stdlib_module_names


# Nobody else spells out a path

OTHERS = {"classify", "handcrafted", "networks", "fma_metadata", "tracks.csv"}
"""Pieces of paths that are also names of learners, features, members of bundles, or FMA's own."""


@functools.cache
def pieces():
    """Return the names of the files, and of the folders, that the layout spells out."""
    made = [path_of(name, arguments) for name, arguments in methods()]
    made += files_of(LAYOUT.fitted("{split}", "{learner}", "{seed}"))
    made += [LAYOUT.log("{rule}"), LAYOUT.benchmark("{rule}"), LAYOUT.root]
    named = {piece for path in made for piece in path.split("/") if "{" not in piece} - OTHERS
    files = {name for name in named if "." in name}
    return files, named - files


def spells_out(text):
    """Tell whether a string is a path with a piece of the layout's."""
    files, folders = pieces()
    parts = text.split("/")
    return not files.isdisjoint(parts) or (len(parts) > 1 and not folders.isdisjoint(parts))


def strings(path):
    """Return the strings of a file without docstrings and messages: what holds no space."""
    if path.suffix == ".py":
        found = [
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    else:
        found = re.findall(r'"([^"\n]*)"', path.read_text())
    return [text for text in found if not re.search(r"\s", text)]


def sources():
    below = [*ROOT.glob("rules/*.smk"), *ROOT.glob("scripts/**/*.py")]
    return [ROOT / "Snakefile", *(path for path in below if path != Path(module.__file__))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("results/demo", True),
        ("{folder}/predictions.csv", True),
        ("/features/", True),
        ("winner.yaml", True),
        ("features", False),
        ("classify/handcrafted/all/lda", False),
        ("fma_metadata/tracks.csv", False),
    ],
)
def test_a_path_is_told_from_other_strings(text, expected):
    assert spells_out(text) is expected


def test_no_other_file_spells_out_a_path_below_results():
    """Ask `genreflow.layout` for it instead, or give it a function there."""
    assert len(sources()) > 80
    spelt = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sources()
        for text in sorted(set(strings(path)))
        if spells_out(text)
    ]
    assert spelt == []
