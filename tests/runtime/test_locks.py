import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from genreflow.errors import GenreflowError
from genreflow.runtime import locks

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def other_run(tmp_path):
    """Start a process that runs in the folder, as another Snakemake would."""
    program = f"print(locks.drop_stale({str(tmp_path)!r}), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", f"from genreflow.runtime import locks; {program}"],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def snakemakes_lock(folder):
    lock = folder / "locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    return lock


def test_locks_of_a_living_run_stay(tmp_path, other_run):
    lock = snakemakes_lock(tmp_path)
    assert locks.drop_stale(tmp_path) is False
    assert lock.exists()


def test_locks_of_a_killed_run_go(tmp_path, other_run):
    lock = snakemakes_lock(tmp_path)
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    assert locks.drop_stale(tmp_path) is True
    assert not lock.exists()


def test_asking_twice_is_harmless(tmp_path):
    assert locks.drop_stale(tmp_path / "new") is True
    lock = snakemakes_lock(tmp_path / "new")
    assert locks.drop_stale(tmp_path / "new") is True
    assert lock.exists(), "they are this run's own"


def test_a_lock_keeps_what_it_holds(tmp_path):
    (tmp_path / locks.NAME).write_text("of somebody else")
    assert locks.drop_stale(tmp_path) is True
    assert (tmp_path / locks.NAME).read_text() == "of somebody else"


@pytest.mark.parametrize("name", [locks.NAME, "locks"])
def test_a_link_in_the_place_of_a_lock_is_refused(tmp_path, name):
    theirs = snakemakes_lock(tmp_path / "theirs")
    (tmp_path / "mine").mkdir()
    target = theirs if name == locks.NAME else theirs.parent
    (tmp_path / "mine" / name).symlink_to(target)
    theirs.write_text("of somebody else")
    with pytest.raises(GenreflowError, match=rf"{name} is a link to .*{target.name}"):
        locks.drop_stale(tmp_path / "mine")
    assert theirs.read_text() == "of somebody else"


WITHOUT_LOCKS = """
import errno, fcntl, sys
from pathlib import Path
from genreflow.runtime import locks

def flock(file, operation):
    raise OSError(int(sys.argv[2]), "no locks")

fcntl.flock = flock
print(locks.drop_stale(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EPERM])
@pytest.mark.parametrize("running", [False, True])
def test_without_locks_on_the_disk_snakemakes_own_tell(tmp_path, number, running):
    if running:
        lock = snakemakes_lock(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, str(tmp_path), str(number)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{not running}\n", "")
    assert not running or lock.exists()
