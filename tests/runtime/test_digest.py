import importlib.util
import os
import shutil
import subprocess
import sys

import pytest
from genreflow.runtime import digest
from imports import PYTHON, SCRIPTS, modules, users

REAL = sorted([*(path.name for path in SCRIPTS.glob("*.py")), "genreflow/audio/wav.sh"])


def digests(scripts, names=REAL):
    """Hash scripts of a folder anew: within one module, hashes are remembered."""
    path = scripts / "genreflow" / "runtime" / "digest.py"
    spec = importlib.util.spec_from_file_location("digest_of_a_copy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: module.code(scripts / name) for name in names}


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


@pytest.fixture
def scripts(tmp_path):
    """Make scripts and a package in which a module imports another in every way there is."""
    package = tmp_path / "scripts" / "genreflow"
    (package / "runtime").mkdir(parents=True)
    shutil.copy(SCRIPTS / "genreflow" / "runtime" / "digest.py", package / "runtime")
    files = {
        "job.py": "from genreflow.runtime.log import say\nif say:\n    from genreflow import a\n",
        "plain.sh": "#!/bin/bash\n# Says it.\necho wav # aloud\n",
        "genreflow/__init__.py": "",
        "genreflow/errors.py": "class GenreflowError(Exception):\n    pass\n",
        "genreflow/runtime/log.py": "import os\nfrom genreflow import unused\n",
        "genreflow/a.py": "def f():\n    from genreflow.b import g\n    import genreflow.c as c\n",
        "genreflow/b.py": "import numpy.linalg\nfrom genreflow.inner import d, CONSTANT\n",
        "genreflow/inner/__init__.py": "from genreflow.errors import GenreflowError\n",
        "genreflow/inner/d.py": "from genreflow import a\nTABLE = 'd.csv'\n",
        "genreflow/inner/d.csv": "1,2\n",
        "genreflow/inner/unused.py": "",
        "genreflow/c.py": "class C:\n    def m(self):\n        import genreflow.e\n",
        "genreflow/e.py": "KINDS = {'f': 'genreflow.f'}\n",
        "genreflow/f.py": "",
        "genreflow/unused.py": "from genreflow import a\n",
        "other.py": "from genreflow import unused\n",
    }
    for name, text in files.items():
        (package.parent / name).parent.mkdir(exist_ok=True)
        (package.parent / name).write_text(text)
    return package.parent


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the project's own scripts, to be edited."""
    ignored = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=ignored)


USED = ["job.py", *(f"genreflow/{name}.py" for name in "abcef"), "genreflow/inner/__init__.py"]


@pytest.mark.parametrize("file", [*USED, "genreflow/inner/d.py", "genreflow/inner/d.csv"])
def test_an_edit_of_what_a_script_uses_changes_its_hash(scripts, file):
    before = digests(scripts, ["job.py"])
    with (scripts / file).open("a") as opened:
        opened.write("edited = 1\n")
    assert changed(before, digests(scripts, ["job.py"])) == {"job.py"}


@pytest.mark.parametrize(
    "file",
    [
        *("other.py", "plain.sh", "genreflow/unused.py", "genreflow/inner/unused.py"),
        *("genreflow/__init__.py", "genreflow/errors.py", "genreflow/runtime/log.py"),
    ],
)
def test_an_edit_of_what_decides_no_result_changes_nothing(scripts, file):
    before = digests(scripts, ["job.py"])
    with (scripts / file).open("a") as opened:
        opened.write("edited = 1\n")
    assert digests(scripts, ["job.py"]) == before


SOURCE = """
\"\"\"A module.\"\"\"

import numpy as np

RATE = 22050
\"\"\"Samples a second.\"\"\"


class Clip:
    \"\"\"A clip.\"\"\"

    def seconds(self, samples: int) -> str:
        \"\"\"Say how long it is.\"\"\"
        if samples < 0:
            raise ValueError(f"{samples} samples: none can be missing", samples)
        width = 8
        return f"{samples / RATE:>{width}.1f} s" + ""
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 22050\n", "RATE = 22050  # Hz\n\n\n# A comment.\n"),
        ("RATE = 22050", "RATE = (\n    22_050\n)"),
        ('"""A module."""', ""),
        ('"""Samples a second."""', '"""Another docstring."""'),
        ('    """A clip."""\n', ""),
        ("Say how long it is.", "Say it."),
        ('f"{samples} samples: none can be missing", samples', '"too few"'),
    ],
)
def test_what_changes_no_result_changes_no_hash(scripts, old, new):
    assert SOURCE.count(old) == 1
    (scripts / "job.py").write_text(SOURCE)
    before = digests(scripts, ["job.py"])
    (scripts / "job.py").write_text(SOURCE.replace(old, new))
    assert digests(scripts, ["job.py"]) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("22050", "22051"),
        ("RATE = 22050", "RATE: int = 22050"),
        (' s" + ""', ' seconds" + ""'),
        (' + ""', ""),
        ("raise ValueError(", "raise TypeError("),
        ("samples < 0", "samples <= 0"),
        (".1f", ".2f"),
        ("width = 8", "width = 9"),
        ("import numpy as np", "import numpy"),
    ],
)
def test_what_can_change_a_result_changes_the_hash(scripts, old, new):
    assert SOURCE.count(old) == 1
    (scripts / "job.py").write_text(SOURCE)
    before = digests(scripts, ["job.py"])
    (scripts / "job.py").write_text(SOURCE.replace(old, new))
    assert digests(scripts, ["job.py"]) != before


def test_every_python_gives_the_same_hash(scripts):
    """Its versions differ in how they note f-strings and what fields a tree has."""
    (scripts / "job.py").write_text(SOURCE)
    assert digests(scripts, ["job.py"]) == {"job.py": "bdc44ebae54760c9"}


def test_comments_and_empty_lines_of_bash_do_not_count(scripts):
    before = digests(scripts, ["plain.sh"])
    (scripts / "plain.sh").write_text("#!/bin/bash\n\n    # Another comment.\necho wav # aloud\n")
    assert digests(scripts, ["plain.sh"]) == before
    (scripts / "plain.sh").write_text("#!/bin/bash\n# Says it.\necho  wav # aloud\n")
    assert digests(scripts, ["plain.sh"]) != before


def test_modules_that_only_a_run_knows_can_be_named(scripts):
    job = scripts / "other.py"
    names = {
        path.name for path in digest.closure(job, SCRIPTS / "genreflow" / "corpus" / "tracks.py")
    }
    assert names == {"other.py", "tracks.py"}


def test_moving_text_from_a_file_to_another_changes_the_hash(scripts):
    (scripts / "genreflow" / "b.py").write_text("x = 1\ny = 2\n")
    (scripts / "genreflow" / "c.py").write_text("")
    before = digests(scripts, ["job.py"])
    (scripts / "genreflow" / "b.py").write_text("x = 1\n")
    (scripts / "genreflow" / "c.py").write_text("y = 2\n")
    assert digests(scripts, ["job.py"]) != before


def test_times_and_places_do_not_count(scripts, tmp_path):
    before = digests(scripts, ["job.py", "plain.sh"])
    for path in scripts.rglob("*"):
        os.utime(path, (1, 1))
    assert digests(scripts, ["job.py", "plain.sh"]) == before
    shutil.copytree(scripts, tmp_path / "checkout" / "scripts")
    assert digests(tmp_path / "checkout" / "scripts", ["job.py", "plain.sh"]) == before


def test_hashes_of_the_workflow_are_the_same_in_every_process():
    """Sets of names have another order in each process."""
    assert "cnn.py" in REAL
    program = (
        "import sys; from genreflow.runtime import digest\n"
        "for path in sys.argv[1:]: print(digest.code(path))"
    )
    by_seed = {
        subprocess.run(
            [sys.executable, "-c", program, *(SCRIPTS / name for name in REAL)],
            env={**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    assert len(by_seed) == 1
    assert len(set(by_seed.pop().split())) == len(REAL)


@pytest.mark.parametrize("script", PYTHON)
def test_scripts_depend_on_what_python_finds(script):
    used = digest.closure(SCRIPTS / script) - {SCRIPTS / script}
    python = {path for path in used if path.suffix == ".py"}
    assert python == set(modules(script).values())


def test_comments_docstrings_and_empty_lines_in_all_modules_change_nothing(copy):
    before = digests(copy)
    for path in copy.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(f'"""Another."""\n{text}\n\n# A comment.\n"""A text."""\n', "utf-8")
    assert digests(copy) == before


def test_a_changed_mel_filter_changes_what_looks_at_images(copy):
    before = digests(copy)
    path = copy / "genreflow" / "features" / "mel.py"
    text = path.read_text(encoding="utf-8")
    old, new = "fmin=self.f_min,", "fmin=1.0 + self.f_min,"
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    expected = users("genreflow.features.mel") & set(REAL)
    assert {"spectrogram_shard.py", "cnn.py"} < expected < set(REAL)
    assert changed(before, digests(copy)) == expected


def test_an_edit_of_what_makes_a_script_a_job_changes_nothing(copy):
    before = digests(copy)
    edited = list((copy / "genreflow" / "runtime").glob("*.py"))
    for path in edited:
        with path.open("a", encoding="utf-8") as file:
            file.write("\nEDITED = True\n")
    assert len(edited) > 4
    assert digests(copy) == before


def test_work_is_known_again_by_settings_and_files(tmp_path):
    file = tmp_path / "input.h5"
    file.write_bytes(b"1234")

    def now(**settings):
        return digest.fingerprint({"epochs": 3, **settings}, "code", files=[file])

    first = now()
    assert now() == first
    assert now(epochs=4) != first
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_bytes(b"12345")
    os.utime(file, ns=times)
    assert now() != first  # another size
    file.write_bytes(b"1234")
    os.utime(file, ns=times)
    assert now() == first
    os.utime(file, ns=(times[0], times[1] + 1))
    assert now() != first  # another time
