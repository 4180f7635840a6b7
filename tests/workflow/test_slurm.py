"""Runs through a real SLURM end as local ones; killed and cancelled jobs lose nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import harness
import pytest
import slurm_node
import yaml
from small_corpora import TINY, merged

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.slurm]

FEWER = merged(
    TINY,
    {
        "cnn": {"run": ["simple"]},
        "ffnn": {"units": []},
        "transfer": {"run": []},
        "ensembles": {
            "members": {
                "both": {"of": ["cnn/simple", "classify/handcrafted/all/logistic-regression"]}
            }
        },
    },
)
"""A network, a classifier, and both together."""

PROFILES = harness.ROOT / "profiles"

IMAGES = "results/tiny/spectrograms"
SHARDS = (f"{IMAGES}/0.h5", f"{IMAGES}/1.h5")

TIMES = ("latency", "comparison")
"""Tables with what a prediction took, which no two runs agree on."""

SETTINGS = {
    # Without accounting there is only squeue, and nobody wants to wait 40 s for each look.
    "slurm": ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
    "cluster-generic": ("--seconds-between-status-checks", "2"),
}


@pytest.fixture(scope="module")
def node(_own_cache):
    with slurm_node.running() as found:
        yield found


def prepared(corpus, folder):
    """Make a working folder with the tiny corpus and settings for fewer learners."""
    harness.copied(corpus, folder)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(FEWER, sort_keys=False))
    return folder


@pytest.fixture
def workdir(corpus, tmp_path):
    return prepared(corpus, tmp_path / "work")


@pytest.fixture(scope="module")
def local(corpus, tmp_path_factory):
    """Run the same without SLURM, once. Not to be written to."""
    folder = prepared(corpus, tmp_path_factory.mktemp("local") / "work")
    done = harness.snakemake(folder, "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def without_images(local, tmp_path):
    """Return a working folder in which there are WAVs, but no images yet."""
    folder = harness.copied(local, tmp_path / "work")
    shutil.rmtree(folder / IMAGES)
    return folder


def command(profile, *args, config="tiny.yaml"):
    program = (sys.executable, "-m", "snakemake", "-s", harness.ROOT / "Snakefile")
    options = ("--workflow-profile", profile, "--configfile", config, *SETTINGS[profile])
    return [str(part) for part in (*program, *options, *args)]


def run(node, workdir, *args, profile="slurm", config="tiny.yaml"):
    """Run the workflow on the node; stdout, stderr and returncode come back."""
    return subprocess.run(
        command(profile, *args, config=config),
        cwd=workdir,
        env=node.environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )


def differing(workdir, local, *, below="results"):
    """List the files that are not the same in two working folders."""
    found, expected = harness.made_files(workdir), harness.made_files(local)
    names = {name for name in found.keys() | expected.keys() if name.startswith(below)}
    assert names
    return sorted(name for name in names if found.get(name) != expected.get(name))


def test_run_ends_with_the_files_of_a_local_run(node, workdir, local):
    known = len(node.jobs())
    done = run(node, workdir, "--slurm-keep-successful-logs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert differing(workdir, local) == []
    sent = [job["what"] for job in node.jobs()[known:]]
    assert sent.count("rule_clips_wav") == 1, "all clips go in one job"
    [log] = (workdir / ".snakemake/slurm_logs/group_clips_wav").glob("*.log")
    assert log.read_text().count("Building DAG") == 2, "not one Snakemake for each clip"
    assert len([what for what in sent if what.startswith("rule_cnn")]) == 1
    assert [what for what in sent if what.startswith("rule_tables")] == [], "short jobs stay here"


def test_demo_corpus_ends_with_the_tables_of_a_local_run(node, whole_demo, tmp_path):
    known = len(node.jobs())
    config = whole_demo / "fewer.yaml"
    done = run(node, tmp_path, "--jobs", "4", config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    for below in ("results/demo/official", "results/demo/tables"):
        wrong = differing(tmp_path, whole_demo, below=below)
        assert [name for name in wrong if Path(name).stem not in TIMES] == []
    sent = node.jobs()[known:]
    states = {job["what"]: job["state"] for job in sent}
    assert set(states.values()) == {"COMPLETED"}, "every rule asks for memory enough"


def test_job_over_its_memory_is_sent_again_with_more(node, without_images, local):
    known = len(node.jobs())
    scarce = ("--set-resources", "spectrogram_shard:mem_mb=180")
    done = run(node, without_images, *SHARDS, *scarce)
    assert done.returncode == 0, done.stdout + done.stderr
    assert differing(without_images, local, below=IMAGES) == []
    for shard in (0, 1):
        what = f"rule_spectrogram_shard_wildcards_{shard}"
        tried = [job for job in node.jobs()[known:] if job["what"] == what]
        assert len(tried) in (2, 3)
        assert [job["memory"] for job in tried] == ["180M", "360M", "540M"][: len(tried)]
        assert [job["state"] for job in tried[:-1]] == ["FAILED"] * (len(tried) - 1)
        assert tried[-1]["state"] == "COMPLETED"


def test_cancelled_job_leaves_nothing_half_written(node, without_images, local):
    known = len(node.jobs())
    disk = {"PYTHONPATH": str(Path(__file__).parent / "stuck_disk")}
    shown = without_images / "shown.txt"
    with (
        shown.open("w") as out,
        subprocess.Popen(
            command("slurm", *SHARDS, "--retries", "0"),
            cwd=without_images,
            env=node.environment | disk,
            stdout=out,
            stderr=out,
        ) as first,
    ):
        try:
            part = without_images / IMAGES / ".part-0.h5"
            slurm_node.wait_until(
                lambda: part.exists() or first.poll() is not None, "a shard", shown, seconds=300
            )
            assert first.poll() is None, shown.read_text()
            what = "rule_spectrogram_shard_wildcards_0"
            [job] = [job for job in node.jobs()[known:] if job["what"] == what]
            node.ask("scancel", job["id"])
            assert first.wait(timeout=300) != 0
        finally:
            first.kill()
    made = {path.name for path in (without_images / IMAGES).iterdir()} - {".part-0.h5"}
    assert made == {"1.h5"}, "only the other shard is finished"
    said = shown.read_text()
    assert "results/tiny/logs/spectrogram_shard/0.log" in said
    assert f".snakemake/slurm_logs/rule_spectrogram_shard/0/{job['id']}.log" in said

    again = run(node, without_images, *SHARDS)
    assert again.returncode == 0, again.stdout + again.stderr
    assert harness.parts_of(without_images) == []
    assert differing(without_images, local, below=IMAGES) == []


def test_other_batch_systems_are_sent_scripts(node, workdir, local):
    done = run(node, workdir, "--until", "audit", profile="cluster-generic")
    assert done.returncode == 0, done.stdout + done.stderr
    assert differing(workdir, local, below="results/tiny/corpus/audit/") == []


def test_status_of_jobs_for_other_batch_systems(node):
    def status(job):
        return node.ask(PROFILES / "cluster-generic/status.sh", job).strip()

    log = node.folder / "slurmctld.log"
    good, bad, long = (
        node.ask("sbatch", "--parsable", "--output=/dev/null", f"--wrap={wrapped}").strip()
        for wrapped in ("true", "false", "sleep 600")
    )
    slurm_node.wait_until(lambda: status(good) != "running", "the good job ends", log)
    slurm_node.wait_until(lambda: status(bad) != "running", "the bad job ends", log)
    assert [status(job) for job in (good, bad, long)] == ["success", "failed", "running"]
    node.ask("scancel", long)
    slurm_node.wait_until(lambda: status(long) != "running", "the cancelled job ends", log)
    assert status(long) == "failed"
    assert status("999999") == "failed"
