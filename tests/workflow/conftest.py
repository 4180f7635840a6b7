"""A run that is done once, and plans in processes of their own."""

import shutil
import subprocess
import sys

import harness
import pytest
import yaml
from small_corpora import DEMO, DEMO_TARGETS, TINY, TINY_BACKBONE, WHOLE_DEMO, merged, write_corpus


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep Snakemake's cache of sources out of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def plan(_own_cache):
    """Return the jobs that a run with some configuration would do."""

    def planned(workdir, changes=None, *, base=TINY, root=harness.ROOT, targets=()):
        config = merged(base, changes or {})
        return harness.in_new_process(harness.plan, workdir, config, root, targets)

    return planned


def run_to_the_end(workdir, *args):
    done = harness.snakemake(workdir, *args)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def whole_demo(once, _own_cache):
    """Run the demo corpus with the settings of `WHOLE_DEMO`, once."""

    def make(folder):
        (folder / "fewer.yaml").write_text(yaml.safe_dump(WHOLE_DEMO, sort_keys=False))
        run_to_the_end(folder, "--configfile", "fewer.yaml")

    return once("whole_demo", make)


@pytest.fixture(scope="session")
def corpus(once):
    """Make a working folder with the tiny corpus and nothing else. Not to be written to."""

    def make(folder):
        write_corpus(folder / "audio")
        subprocess.run([sys.executable, "-c", TINY_BACKBONE], cwd=folder, check=True)
        shutil.copy(folder / "tiny.keras", folder / "other.keras")
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))
        (folder / "demo.yaml").write_text(yaml.safe_dump(DEMO, sort_keys=False))

    return once("tiny", make)


def _copied(source, tmp_path_factory, name):
    return harness.copied(source, tmp_path_factory.mktemp(name) / "work")


@pytest.fixture
def fresh(corpus, tmp_path_factory):
    """Return a working folder of one's own in which nothing was run."""
    return _copied(corpus, tmp_path_factory, "fresh")


@pytest.fixture(scope="session")
def template(corpus, once):
    """Run the tiny corpus to its end, once. Not to be written to."""
    return once(
        "template",
        lambda folder: run_to_the_end(harness.copied(corpus, folder), "--configfile", "tiny.yaml"),
    )


@pytest.fixture
def finished(template, tmp_path_factory):
    """Return a working folder of one's own in which everything was run, times and all."""
    return _copied(template, tmp_path_factory, "finished")


@pytest.fixture(scope="module")
def finished_module(template, tmp_path_factory):
    """Return the same for plans that change nothing, shared by a module's tests."""
    return _copied(template, tmp_path_factory, "finished")


@pytest.fixture(scope="session")
def demo_template(corpus, once):
    """Make the smallest demo corpus with its manifest and metadata, once."""

    def make(folder):
        run_to_the_end(harness.copied(corpus, folder), *DEMO_TARGETS, "--configfile", "demo.yaml")

    return once("demo_template", make)
