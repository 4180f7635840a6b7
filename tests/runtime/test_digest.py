import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from genreflow.runtime import digest

SCRIPTS = Path(__file__).parents[2] / "scripts"
REAL = sorted(path.name for path in SCRIPTS.iterdir() if path.suffix in (".py", ".sh"))


def digests(scripts, names, *, hash_seed="random"):
    """Hash scripts in a process of its own: within one, hashes are remembered."""
    program = (
        "import sys; from pathlib import Path; from genreflow.runtime import digest\n"
        "for name in sys.argv[2:]: print(digest.code(Path(sys.argv[1], name)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, scripts, *names],
        env={**os.environ, "PYTHONPATH": str(scripts), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.fixture
def scripts(tmp_path):
    """Make scripts and a package in which a module imports another in every way there is."""
    package = tmp_path / "scripts" / "genreflow"
    (package / "runtime").mkdir(parents=True)
    shutil.copy(SCRIPTS / "genreflow" / "runtime" / "digest.py", package / "runtime")
    files = {
        "job.py": "from genreflow.log import logged\nif logged:\n    from genreflow import a\n",
        "plain.sh": "echo wav\n",
        "genreflow/__init__.py": "",
        "genreflow/log.py": "import os\n",
        "genreflow/a.py": "def f():\n    from genreflow.b import g\n    import genreflow.c as c\n",
        "genreflow/b.py": "import numpy.linalg\nfrom genreflow import d\n",
        "genreflow/c.py": "class C:\n    def m(self):\n        import genreflow.e\n",
        "genreflow/d.py": "from genreflow import a\n",
        "genreflow/e.py": "",
        "genreflow/unused.py": "from genreflow import a\n",
        "other.py": "from genreflow import unused\n",
    }
    for name, text in files.items():
        (package.parent / name).write_text(text)
    return package.parent


@pytest.mark.parametrize(
    "module", ["job", *(f"genreflow/{name}" for name in ("log", "a", "b", "c", "d", "e"))]
)
def test_an_edit_of_what_a_script_uses_changes_its_hash(scripts, module):
    before = digests(scripts, ["job.py"])
    with (scripts / f"{module}.py").open("a") as file:
        file.write("# edited\n")
    assert digests(scripts, ["job.py"]) != before


@pytest.mark.parametrize("module", ["other", "genreflow/unused", "plain"])
def test_an_edit_of_what_it_does_not_use_changes_nothing(scripts, module):
    before = digests(scripts, ["job.py"])
    path = next(scripts.glob(f"{module}.*"))
    path.write_text(path.read_text() + "# edited\n")
    assert digests(scripts, ["job.py"]) == before


def test_bash_counts_by_its_bytes(scripts):
    before = digests(scripts, ["plain.sh"])
    (scripts / "genreflow" / "a.py").write_text("")
    assert digests(scripts, ["plain.sh"]) == before
    (scripts / "plain.sh").write_text("echo  wav\n")
    assert digests(scripts, ["plain.sh"]) != before


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
    assert "cnn.py" in REAL and "wav.sh" in REAL
    by_seed = {tuple(digests(SCRIPTS, REAL, hash_seed=str(seed))) for seed in range(8)}
    assert len(by_seed) == 1
    assert len(set(by_seed.pop())) == len(REAL)


def test_the_network_depends_on_its_modules_and_not_on_the_demo_corpus(tmp_path):
    copy = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for module, counts in [("training", True), ("spectrograms", True), ("demo", False)]:
        before = digests(copy, ["cnn.py"], hash_seed="0")
        with (copy / "genreflow" / f"{module}.py").open("a") as file:
            file.write("# edited\n")
        assert (digests(copy, ["cnn.py"], hash_seed="0") != before) == counts


def test_work_is_known_again_by_settings_and_files(tmp_path):
    file = tmp_path / "input.h5"
    file.write_bytes(b"1234")

    def now(**settings):
        return digest.work({"epochs": 3, **settings}, "code", files=[file])

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
