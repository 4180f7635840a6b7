"""Faults for the tests: which jobs there are, how they are stopped, and what came of it."""

import base64
import contextlib
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import harness
import psutil

SLOW_DISK = {"PYTHONPATH": str(Path(__file__).parent / "slow_disk")}


def record(*, fault, stage, shown, outcome):
    """Add a row to the table of faults, if one is asked for (docs/reliability.py)."""
    if folder := os.environ.get("GENREFLOW_RELIABILITY"):
        row = {"fault": fault, "stage": stage, "shown": shown, "outcome": outcome}
        with Path(folder, "faults.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


@dataclass(frozen=True)
class Job:
    """A job of a finished run."""

    rule: str
    script: str
    outputs: tuple[str, ...]
    log: str
    seconds: float

    @property
    def benchmark(self):
        return self.log.replace("/logs/", "/benchmarks/").removesuffix(".log") + ".tsv"


def jobs_of(workdir):
    """Return the jobs of a finished run, by what Snakemake and the benchmarks recorded."""
    outputs, scripts = {}, {}
    for output, made in harness.records(workdir):
        job = (made["rule"], made["log"][0])
        outputs.setdefault(job, []).append(output)
        scripts[job] = re.search(r"(\w+\.(py|sh))", made["shellcmd"] or made["code"])[1]
    found = []
    for (rule, log), names in outputs.items():
        job = Job(rule, scripts[rule, log], tuple(sorted(names)), log, 0.0)
        seconds = Path(workdir, job.benchmark).read_text().splitlines()[1].split("\t")[0]
        found.append(Job(rule, job.script, job.outputs, log, float(seconds)))
    return found


def record_of(workdir, output):
    """Return the file in which Snakemake records how it made an output; its path is short."""
    coded = base64.urlsafe_b64encode(output.encode()).decode()
    return Path(workdir, ".snakemake", "metadata", coded)


def remove(workdir, jobs):
    """Remove what jobs made, logs and measurements too, so that they run again."""
    for job in jobs:
        for name in (*job.outputs, job.log, job.benchmark):
            path = Path(workdir, name)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def seconds_with_followers(workdir, jobs, rule):
    """Return how long a rule's jobs and all that depend on them took in a finished run."""
    rules = harness.with_followers(workdir, rule)
    return sum(job.seconds for job in jobs if job.rule in rules)


def wait_for_job(run, script, seconds=600):
    """Wait until a run is at work on a script; return the processes, none if the run ended."""
    name = script if script.endswith(".sh") else f".{script}"
    deadline = time.monotonic() + seconds
    while run.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(run.pid).children(recursive=True)
            if found := [child for child in children if name in " ".join(_arguments(child))]:
                return found
        time.sleep(0.005)
    return []


def _arguments(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def left_running(workdir, seconds=300):
    """Return the processes that still work in a folder after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = [
            " ".join(_arguments(process))
            for process in psutil.process_iter()
            if _folder(process) == str(workdir) and is_alive(process)
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _folder(process):
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def differences(workdir, undisturbed):
    """Name the files below results that aren't as after an undisturbed run."""
    ended, expected = harness.made_files(workdir), harness.made_files(undisturbed)
    lacking = [f"{name} is missing" for name in expected.keys() - ended.keys()]
    left = [f"{name} is left over" for name in ended.keys() - expected.keys()]
    common = ended.keys() & expected.keys()
    return sorted(lacking + left + [name for name in common if ended[name] != expected[name]])


def line_with(text, *words):
    """Return the line that holds all words, of the log that is shown too, which has its breaks.

    There must be one.
    """
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    shown = [re.split(r"─+ ", paragraph)[-1] for paragraph in paragraphs]
    for line in [*map(str.strip, text.splitlines()), *shown]:
        if all(word in line for word in words):
            return line
    raise AssertionError(f"no line with {words} in:\n{text}")
