"""A run works where home, cache and installed packages can't be written to."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from genreflow.runtime import places

SCRIPTS = Path(__file__).parents[2] / "scripts"
READ_ONLY = "/proc/home"
"""A folder in which nobody can make anything, root neither."""


def run(code, *before, **environment):
    """Run some code in a process of its own, with nothing set that tells where caches are."""
    kept = {name: value for name, value in os.environ.items() if name not in places.CACHES}
    return subprocess.run(
        [*before, sys.executable, "-c", code],
        env=kept | {"PYTHONPATH": str(SCRIPTS), "HOME": READ_ONLY} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


SHOW = f"import genreflow, os; print(*[os.environ.get(name) for name in {places.CACHES}])"


def test_caches_go_to_a_folder_that_ends_with_the_process():
    (folder,) = set(run(SHOW).stdout.split())
    assert Path(folder).is_absolute() and not Path(folder).exists()


def test_a_home_that_can_be_written_to_stays(tmp_path):
    assert run(SHOW, HOME=str(tmp_path)).stdout.split() == ["None"] * 3


def test_what_the_environment_says_stays(tmp_path):
    given = {name: str(tmp_path / name) for name in places.CACHES}
    assert run(SHOW, **given).stdout.split() == list(given.values())


@pytest.mark.parametrize(
    ("name", "ours", "users"),
    [("HDF5_USE_FILE_LOCKING", "FALSE", "TRUE"), ("TF_ENABLE_ONEDNN_OPTS", "1", "0")],
)
def test_what_libraries_read_is_set_unless_the_user_set_it(name, ours, users):
    show = f"import genreflow, os; print(os.environ['{name}'])"
    assert run(show).stdout.strip() == ours
    assert run(show, **{name: users}).stdout.strip() == users


@pytest.mark.slow
def test_packages_on_a_disk_that_is_read_only_can_be_used():
    packages = sysconfig.get_path("purelib")
    mount = f"mount --bind {packages} {packages} && mount -o remount,bind,ro {packages}"
    inside = [shutil.which("unshare") or "unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "-"]
    try:
        able = not subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
    except OSError:
        able = False
    if not able:
        pytest.skip("mounting is not allowed here")
    # As librosa does with some of its functions, which it also compiles, when it is imported.
    cached = "import genreflow, decorator, numba; numba.njit(cache=True)(decorator.fix)"
    done = run(cached, *inside)
    assert done.returncode == 0, done.stderr
