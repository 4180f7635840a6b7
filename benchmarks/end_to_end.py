"""Time whole runs of the demo corpus on different numbers of cores, and find the critical path.

Each run starts from nothing in a folder of its own. What its jobs took, and which waited for
which, is read from the records that Snakemake keeps. The critical path is the chain of jobs that
takes longest: no number of cores makes a run shorter than that. `--finished FOLDER` looks at a run
that is there already instead.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass
class Job:
    rule: str
    start: float
    end: float
    inputs: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return self.end - self.start


def jobs_of(folder: Path) -> dict[str, Job]:
    """Return the jobs of a finished run, by their logs, and which log belongs to a file."""
    jobs, made_by = {}, {}
    for record in (folder / ".snakemake" / "metadata").rglob("*"):
        if not record.is_file():
            continue
        known = json.loads(record.read_text())
        key = known["log"][0]
        jobs[key] = Job(known["rule"], known["starttime"], known["endtime"], tuple(known["input"]))
        made_by[_path_of(record, folder)] = key
    for job in jobs.values():
        job.inputs = tuple({made_by[path] for path in job.inputs if path in made_by})
    return jobs


def _path_of(record: Path, folder: Path) -> str:
    """Decode the name of a record: the file's path in base 64, cut into folders if it is long."""
    parts = record.relative_to(folder / ".snakemake" / "metadata").parts
    name = "".join(part.removeprefix("@") for part in parts)
    return base64.b64decode(name).decode()


def critical_path(jobs: dict[str, Job]) -> list[Job]:
    """Return the chain of jobs that takes longest, from its first to its last."""
    order = sorted(jobs, key=lambda key: jobs[key].end)
    length: dict[str, float] = defaultdict(float)
    before: dict[str, str | None] = {}
    for key in order:
        known = [one for one in jobs[key].inputs if one in length]
        before[key] = max(known, key=length.__getitem__, default=None)
        length[key] = jobs[key].seconds + (length[before[key]] if before[key] else 0)
    chain, key = [], max(length, key=length.__getitem__)
    while key is not None:
        chain.append(jobs[key])
        key = before[key]
    return chain[::-1]


def run(folder: Path, cores: int) -> float:
    """Run the demo corpus from nothing; return the seconds it took."""
    command = ["-m", "snakemake", "-s", ROOT / "Snakefile", "--cores", cores]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    return time.perf_counter() - start


def show(jobs: dict[str, Job]) -> None:
    chain = critical_path(jobs)
    by_rule = Counter()
    for job in jobs.values():
        by_rule[job.rule] += job.seconds
    print("\n| critical path | job, s | all jobs of the rule, s |\n|---|---|---|")
    for job in chain:
        print(f"| {job.rule} | {job.seconds:.1f} | {by_rule[job.rule]:.1f} |")
    print(f"| in all | {sum(job.seconds for job in chain):.1f} | {by_rule.total():.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--finished", type=Path, help="folder of a run that has ended")
    given = parser.parse_args()
    if given.finished:
        show(jobs_of(given.finished))
        return
    first = None
    print("| cores | run, s | speed-up | all jobs, s |\n|---|---|---|---|")
    for cores in given.cores:
        with tempfile.TemporaryDirectory() as name:
            seconds = run(Path(name), cores)
            jobs = jobs_of(Path(name))
        first = first or seconds
        work = sum(job.seconds for job in jobs.values())
        print(f"| {cores} | {seconds:.0f} | {first / seconds:.2f} | {work:.0f} |", flush=True)
    show(jobs)


if __name__ == "__main__":
    main()
