"""Files, names and texts from elsewhere run no code, leave no folder and become no markup."""

import ast
import csv
import hashlib
import io
import pickle
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import harness
import numpy as np
import pytest
import skops.io
from genreflow.learners.predictions import read_predictions
from genreflow.runtime.files import read_table
from harness import run
from made.html_page import Page
from made.server import serving
from small_corpora import NOT_TINY, TINY, merged, write_clip


def tree(folder):
    """List all that is in a folder but results and what Snakemake keeps."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not {"results", ".snakemake"} & set(path.relative_to(folder).parts)
    }


# Nothing is unpickled


UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "torch"}
"""None is imported."""

PROCESSES = "joblib.externals.loky"
"""Its processes read what this program sends them, and nothing else."""


def calls_in(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            yield from (("import", name.split(".")[0], {}) for name in names if name != PROCESSES)
        elif isinstance(node, ast.Call):
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield "call", ast.unparse(node.func), keywords


def test_no_module_imports_what_unpickles_or_loads_without_its_lock():
    seen = set()
    for path in sorted((harness.ROOT / "scripts").rglob("*.py")):
        for kind, name, keywords in calls_in(path):
            seen.add(name)
            assert (kind, name) != ("import", name) or name not in UNPICKLERS, path
            assert name not in ("eval", "exec", "pd.read_pickle", "yaml.load"), path
            if name == "np.load":
                assert keywords.get("allow_pickle") == "False", path
            if name.endswith("load_model") and name.startswith("keras"):
                assert keywords.get("safe_mode") == "True", path
            assert "enable_unsafe_deserialization" not in name, path
    assert {"np.load", "keras.saving.load_model", "skops.io.load"} <= seen


class Trap:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.mkdir, (self.mark,)


def keras_with_trap(path, mark):
    """Write a network that a Lambda makes run code."""
    import keras

    image = keras.Input((16, 16, 3))
    name = str(mark)
    layer = keras.layers.Lambda(lambda x: (__import__("os").mkdir(name), x)[1], name="first")
    pool = keras.layers.GlobalAveragePooling2D(name="pool")
    keras.Model(image, pool(layer(image))).save(path)


def skops_with_trap(path, mark):
    skops.io.dump({"pipeline": Trap(mark), "inverse_temperature": 1.0}, path)


def npz_with_trap(path, mark):
    np.savez(path, state=np.array([Trap(mark)], dtype=object))


def forget(mark):
    """Assert that a trap was sprung, and set it again."""
    assert mark.is_dir()
    mark.rmdir()


def test_the_traps_do_run_code_where_that_is_allowed(tmp_path):
    import keras

    mark = tmp_path / "ran"
    keras_with_trap(tmp_path / "trap.keras", mark)
    forget(mark)
    keras.saving.load_model(tmp_path / "trap.keras", safe_mode=False)
    forget(mark)
    npz_with_trap(tmp_path / "trap.npz", mark)
    with np.load(tmp_path / "trap.npz", allow_pickle=True) as file:
        file["state"]
    forget(mark)
    pickle.loads(pickle.dumps(Trap(mark)))
    forget(mark)


@pytest.mark.slow
def test_a_network_of_the_users_that_holds_code_is_refused(fresh, tmp_path):
    mark = tmp_path / "ran"
    keras_with_trap(fresh / "tiny.keras", mark)
    forget(mark)
    done = run(fresh, TINY, "results/tiny/networks/tiny")
    assert done.returncode != 0
    assert "tiny.keras can't be loaded" in " ".join(done.stderr.split())
    assert not mark.exists()


@pytest.mark.slow
def test_a_model_that_holds_code_is_refused_by_predictions(finished, tmp_path):
    """Those of other kinds are loaded as this one is: tests/bundle/test_strangers.py."""
    mark = tmp_path / "ran"
    learner = "classify/handcrafted/all/logistic-regression"
    skops_with_trap(finished / "results/tiny/grouped" / learner / "model.skops", mark)
    config = merged(TINY, {"predict": {"path": "audio/Waltz/artist-0", "learner": learner}})
    done = run(finished, config, "predict")
    assert done.returncode != 0
    assert "model.skops: not loaded, since it could run code" in " ".join(done.stderr.split())
    assert not mark.exists()


@pytest.mark.slow
def test_a_checkpoint_that_holds_code_is_not_used(finished, tmp_path):
    mark = tmp_path / "ran"
    folder = finished / "results/tiny/grouped/cnn/simple/seed-0"
    expected = (folder / "predictions.csv").read_bytes()
    (folder / "predictions.csv").unlink()
    npz_with_trap(folder / ".checkpoint.npz", mark)
    done = run(finished, TINY, f"{folder.relative_to(finished)}/predictions.csv")
    assert done.returncode == 0, done.stderr
    assert not mark.exists()
    assert (folder / "predictions.csv").read_bytes() == expected


def test_commands_for_people_leave_out_the_folder_that_they_are_in():
    places = [*harness.ROOT.glob("docs/*.md"), *harness.ROOT.rglob("scripts/**/*.py")]
    for path in [harness.ROOT / "README.md", *places]:
        assert "python -m genreflow" not in path.read_text(encoding="utf-8"), path


# Names and archives stay in their folders


@pytest.mark.slow
@pytest.mark.parametrize("track_id", ["../../../escaped", "a/b"])
def test_a_track_id_that_is_no_plain_name_is_refused(tmp_path, track_id):
    work = tmp_path / "a" / "b" / "work"
    for name in "abc":
        write_clip(work / f"{name}.wav", seed=1, frequency=300)
    (work / "tracks.csv").write_text(
        f"track_id,path,genre\n{track_id},a.wav,Waltz\n2,b.wav,Techno\n3,c.wav,Waltz\n"
    )
    config = {"corpus": {"name": "mine", "kind": "table", "table": "tracks.csv"}}
    before = tree(tmp_path)
    done = run(work, config, "--until", "wav")
    assert done.returncode != 0
    assert f"track_id {track_id!r} can't be a file name" in " ".join(done.stderr.split())
    assert tree(tmp_path) - before == {"a/b/work/given.yaml"}


@pytest.fixture
def site(tmp_path):
    """Serve a folder."""
    with serving(tmp_path / "site") as server:
        yield server


@pytest.mark.slow
def test_archives_that_are_not_those_of_fma_are_refused(tmp_path, site):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../escaped", b"evil")
    for name in ("fma_metadata.zip", "fma_small.zip"):
        (site.folder / name).write_bytes(content.getvalue())
    work = tmp_path / "work"
    work.mkdir()
    config = {"corpus": {"name": "fma", "kind": "fma", "audio": "data", "url": f"{site.url}/"}}
    before = tree(tmp_path)
    done = run(work, config, "fetch")
    assert done.returncode != 0
    assert "expected" in done.stderr
    new = tree(tmp_path) - before
    assert not [name for name in new if "escaped" in name or name.endswith(".zip")]


@pytest.mark.slow
def test_a_network_with_another_hash_is_refused(fresh, site):
    (site.folder / "other.onnx").write_bytes(b"another network")
    wanted = hashlib.sha256(b"the network that is wanted").hexdigest()
    backbone = {
        "kind": "onnx",
        "network": f"{site.url}/other.onnx",
        "cuts": {"end": "embedding"},
        "sha256": wanted,
        "input": "image",
    }
    config = merged(TINY, {"transfer": {"backbones": {"other": backbone}, "folder": "networks"}})
    target = f"networks/onnx/{wanted}.onnx"
    done = run(fresh, config, target)
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    assert wanted in said and "expected" in said
    assert list((fresh / "networks" / "onnx").glob("*")) == []


# Texts are shown as texts


GENRES = ("../../escaped $\\frac{$", "=1+1", "</script><script>alert(1)</script>")
TITLE = '=HYPERLINK("http://127.0.0.1:9/","x")'
ARTIST = "<img src=x onerror=alert(1)>"

HOSTILE = {
    **{key: TINY[key] for key in TINY if key not in ("corpus", "transfer", "ensembles")},
    "corpus": {
        "name": "hostile",
        "kind": "table",
        "table": "tracks.csv",
        "shards": 1,
        "min_duration": 0.5,
    },
    "cnn": {"run": []},
    "ffnn": {"units": []},
    "classify": {
        "features": {"handcrafted": ["all"], **{name: [] for name in NOT_TINY}},
        "run": ["logistic-regression"],
        "folds": 2,
    },
    "predict": {"path": "=new.wav"},
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Run a corpus whose genres, artists and titles are hostile; return its working folder."""
    work = tmp_path_factory.mktemp("hostile") / "a" / "b" / "work"
    rows = []
    for g, genre in enumerate(GENRES):
        for number in range(6):
            name = f"{g}-{number}.wav"
            write_clip(work / name, seed=10 * g + number, frequency=300 * (g + 1) + number)
            artist, album = f"{ARTIST}{g}{number}", f"@SUM({g}{number})"
            rows.append(
                (name, *(f"{text}\x1b\u202e\x01" for text in (genre, artist, album, TITLE)))
            )
    write_clip(work / "=new.wav", seed=99, frequency=600)
    with (work / "tracks.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "genre", "artist", "album", "title"), *rows])
    before = tree(work.parents[2])
    done = run(work, HOSTILE, "all", "predict")
    assert done.returncode == 0, done.stderr
    return work, before


@pytest.mark.slow
def test_no_name_of_a_genre_becomes_a_path(hostile):
    work, before = hostile
    assert tree(work.parents[2]) - before == {"a/b/work/given.yaml"}
    playlists = work / "results/hostile/predicted/playlists"
    made = {path for path in (work / "results").rglob("*") if path.parent != playlists}
    words = ("escaped", "=1", "script")
    assert not [path for path in made if any(word in path.name for word in words)]
    lists = {path.name for path in playlists.iterdir()} - {".snakemake_timestamp"}
    assert lists and all(re.fullmatch(r"\w[\w+]*\.m3u8", name) for name in lists)
    assert [path.name for path in (work / "results").iterdir()] == ["hostile"]


@pytest.mark.slow
def test_the_report_shows_texts_of_the_corpus_as_text(hostile):
    work, _ = hostile
    page = Page((work / "results/hostile/report.html").read_text(encoding="utf-8"))
    assert len(page.of("script")) == 2  # its data and its code
    assert not [name for _, own in page.elements for name in own if name.startswith("on")]
    for genre in GENRES:
        assert genre in page.text
    shown = page.data["tracks"].values()
    assert {title for title, *_ in shown} == {TITLE}
    assert all(artist.startswith(ARTIST) for _, artist, _ in shown)


@pytest.mark.slow
def test_figures_and_markdown_hold_no_markup_of_the_corpus(hostile):
    work, _ = hostile
    figures = list((work / "results/hostile/figures").rglob("*.svg"))
    assert figures
    for path in figures:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert not tags & {"script", "img", "foreignObject"}
    tables = list((work / "results/hostile/tables").rglob("*.md"))
    assert tables
    assert not [path for path in tables if "<script" in path.read_text()]


FORMULA = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.slow
def test_no_table_holds_a_formula(hostile):
    work, _ = hostile
    found = 0
    for path in (work / "results").rglob("*.csv"):
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        texts = [cell for cell in cells if not re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", cell)]
        assert not [cell for cell in texts if cell.startswith(FORMULA)], path
        found += any(cell.startswith("'=") for cell in cells)
    assert found >= 4  # tracks, predictions, recall by genre, confusion matrix


@pytest.mark.slow
def test_the_workflow_reads_texts_back_as_they_are(hostile):
    work, _ = hostile
    tracks = read_table(work / "results/hostile/corpus/tracks.csv")
    assert set(tracks["genre"]) == set(GENRES)
    assert set(tracks["title"]) == {TITLE}
    [path] = (work / "results/hostile").glob("*/classify/*/*/*/predictions.csv")
    assert set(read_predictions(path)["genre"]) == set(GENRES)
