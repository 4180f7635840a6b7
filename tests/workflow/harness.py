"""Plans and runs of the real workflow, for the tests."""

import base64
import contextlib
import functools
import io
import json
import logging
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver, get_context
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

CODE = ("Snakefile", "config.yaml", "config", "rules", "scripts", "envs", "profiles", "report")
"""What of a checkout the workflow needs to run."""


SAVED = (".keras", ".skops")
"""How the files of saved models end."""


def records(workdir):
    """Give each output of a finished run, and what Snakemake recorded of how it was made."""
    metadata = Path(workdir, ".snakemake", "metadata")
    for path in sorted(metadata.rglob("*")):
        if path.is_file():
            coded = "".join(part.removeprefix("@") for part in path.relative_to(metadata).parts)
            yield base64.urlsafe_b64decode(coded).decode(), json.loads(path.read_text())


@functools.cache
def made(workdir):
    """Return for each output of a finished run its rule, and the outputs it was read for."""
    known = dict(records(workdir))
    reading = {output: [] for output in known}
    for output, record in known.items():
        for name in known.keys() & set(record["input"]):
            reading[name].append(output)
    return {output: (known[output]["rule"], reading[output]) for output in known}


def pieces(output):
    """Return the names of the folders and the file of an output, below those of its corpus."""
    return [piece.split(".")[0] for piece in output.split("/")[2:]]


def with_followers(workdir, *stages):
    """Return rules and all that depends on them in a finished run.

    A stage is a rule, or RULE/PART for those of its outputs with PART among their `pieces`.
    """
    outputs = made(workdir)
    named = [stage.partition("/") for stage in stages]
    waiting = [
        output
        for output, (rule, _) in outputs.items()
        for name, _, part in named
        if rule == name and part in ("", *pieces(output))
    ]
    found = set()
    while waiting:
        output = waiting.pop()
        if output not in found:
            found.add(output)
            waiting.extend(outputs[output][1])
    return {outputs[output][0] for output in found} | {name for name, *_ in named}


def rules_of(jobs):
    return {rule for rule, *_ in jobs}


def options(*args, root=ROOT):
    profile = ("--profile", root / "profiles" / "default")
    return [str(part) for part in ("-s", root / "Snakefile", "--cores", "2", *profile, *args)]


def command(*args, root=ROOT):
    return [sys.executable, "-m", "snakemake", *options(*args, root=root)]


def snakemake(workdir, *args, root=ROOT, env=None):
    """Run the workflow as a user does; stdout, stderr and returncode come back."""
    return in_new_process(_command_line, workdir, options(*args, root=root), root, env=env)


def run(workdir, config, *args, **settings):
    """Run the workflow with a configuration."""
    (workdir / "given.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return snakemake(workdir, *args, "--configfile", "given.yaml", **settings)


def called(workdir, *args):
    """Run this checkout's workflow elsewhere with nothing but these arguments."""
    return in_new_process(_command_line, workdir, ["-s", str(ROOT / "Snakefile"), *args], ROOT)


def in_new_process(function, *args, env=None):
    """Call a function in a new process in which Snakemake is imported already.

    It takes some tenths of a second so, not the three of a new Python, and sees the working folder,
    the environment and the loggers of no other.
    """
    given = [os.environ | (env or {})]
    with ProcessPoolExecutor(1, _forks(), _set_environment, given) as pool:
        return pool.submit(function, *args).result(timeout=1800)


@functools.cache
def _forks():
    """Return what forks a process that has imported all of `preloaded`."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["preloaded"])
    path = os.pathsep.join(map(str, (ROOT / "scripts", Path(__file__).parent)))
    with pytest.MonkeyPatch.context() as given:
        given.setenv("PYTHONPATH", path)
        forkserver.ensure_running()
    return context


def _set_environment(given):
    os.environ.clear()
    os.environ.update(given)


def _command_line(workdir, arguments, root):
    _leave_library_to(root)
    os.chdir(workdir)
    sys.argv[1:] = arguments
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        os.dup2(out.fileno(), sys.stdout.fileno())
        os.dup2(err.fileno(), sys.stderr.fileno())
        try:
            runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code
            if isinstance(code, str):  # which Python shows when it ends
                print(code, file=sys.stderr)
                code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        said = [file.seek(0) or file.read() for file in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *said)


def _leave_library_to(root):
    """Forget the library of this checkout if the workflow is that of another one."""
    if Path(root) != ROOT:
        for name in [name for name in sys.modules if name.partition(".")[0] == "genreflow"]:
            del sys.modules[name]


def copy_code(target):
    """Copy a checkout's code; every file gets the present time."""
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, ignore=ignored, copy_function=shutil.copyfile)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    return target


def copied(source, target):
    """Copy a working folder, with the times of its files; return the copy."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    return target


def content(path):
    """Return the bytes of a file; of a saved model those of its arrays.

    Keras and skops note times and addresses in the JSON beside them, so that a bundle with the same
    models has other hashes of them.
    """
    if path.name == "bundle.json":
        described = json.loads(path.read_text(encoding="utf-8"))
        hashes = described["members"].items()
        described["members"] = {
            name: "" if name.endswith(SAVED) else found for name, found in hashes
        }
        return described
    if path.suffix not in SAVED:
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = (name for name in archive.namelist() if not name.endswith(".json"))
        return sorted(map(archive.read, names))


def made_files(workdir):
    """Return the content of everything below results, but for logs and measurements."""
    return {
        str(path.relative_to(workdir)): content(path)
        for path in sorted(Path(workdir, "results").rglob("*"))
        if path.is_file()
        and not {"logs", "benchmarks"} & set(path.parts)
        and path.name != "report.html"  # it shows what jobs cost
    }


def track_of(workdir, clip):
    """Return the id that a finished run of the tiny corpus gave a clip."""
    from genreflow.corpus.tracks import read_listing

    listing = read_listing(workdir / "results/tiny/corpus/listing.json")
    return next(track.track_id for track in listing.tracks if track.path == clip)


def parts_of(workdir):
    """List the files that were being written."""
    return sorted(path.name for path in Path(workdir, "results").rglob(".part-*"))


@contextlib.contextmanager
def started(workdir, *args, env=None, call=None):
    """Start a run as the head of a process group; what it says goes to shown.txt.

    A call takes the place of Snakemake with these arguments. At the end the whole group is killed,
    as a batch system or a power cut does.
    """
    shown = Path(workdir, "shown.txt")
    with (
        shown.open("w") as out,
        subprocess.Popen(
            call or command(*args),
            cwd=workdir,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=os.environ | (env or {}),
        ) as run,
    ):
        try:
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


@contextlib.contextmanager
def held(workdir, *args, pattern):
    """Start a run, and give it once it stands still beside a file of a pattern, and its release."""
    shown = Path(workdir, "shown.txt")
    disk = {"PYTHONPATH": str(Path(__file__).parent / "held_disk"), "GENREFLOW_HELD": pattern}
    with started(workdir, *args, env=disk) as run:
        while not any(Path(workdir).glob(pattern)):
            assert run.poll() is None, f"there was no {pattern}:\n{shown.read_text()}"
            time.sleep(0.01)
        yield run, Path(workdir, "released").touch


def kill_when(workdir, *args, pattern):
    """Kill a run that writes a file of a pattern; return the files that the kill left."""
    with held(workdir, *args, pattern=pattern):
        pass
    return list(Path(workdir).glob(pattern))


class _Jobs(logging.Handler):
    """Collect the jobs that Snakemake announces."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def emit(self, record):
        from snakemake_interface_logger_plugins.common import LogEvent

        if getattr(record, "event", None) == LogEvent.JOB_INFO and record.rule_name != "all":
            self.found.add((record.rule_name, *map(str, (record.wildcards or {}).values())))


@contextlib.contextmanager
def _workflow(workdir, config, root):
    """Give Snakemake's API of the workflow, in a process of its own."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

    _leave_library_to(root)
    quiet = OutputSettings(dryrun=True, enable_file_logging=False)
    with SnakemakeApi(quiet) as api:
        yield api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(config=config),
            snakefile=Path(root) / "Snakefile",
            workdir=Path(workdir),
        )


def _dag(workflow, targets=(), **settings):
    from snakemake.settings.enums import RerunTrigger
    from snakemake.settings.types import DAGSettings

    profile = yaml.safe_load((ROOT / "profiles" / "default" / "profile.yaml").read_text())
    return workflow.dag(
        DAGSettings(
            targets=frozenset(targets),
            rerun_triggers=frozenset(map(RerunTrigger.parse_choice, profile["rerun-triggers"])),
            force_incomplete=profile["rerun-incomplete"],
            **settings,
        )
    )


def plan(workdir, config, root, targets):
    """Dry-run the workflow: which jobs, as (rule, wildcard, ...), would run."""
    from snakemake.logging import logger

    jobs = _Jobs()
    with _silent(), _workflow(workdir, config, root) as workflow:
        logger.addHandler(jobs)
        _dag(workflow, targets).execute_workflow(executor="dryrun")
    return jobs.found


def rule_graph(workdir, config, root):
    """Return the lines "RULE -> RULE" of the rule graph."""
    from snakemake.settings.enums import PrintDag

    printed = io.StringIO()
    with (
        _silent(),
        _workflow(workdir, config, root) as workflow,
        contextlib.redirect_stdout(printed),
    ):
        _dag(workflow, print_dag_as=str(PrintDag.DOT)).printrulegraph()
    names = dict(re.findall(r'(\d+)\[label = "(\w+)', printed.getvalue()))
    edges = re.findall(r"(\d+) -> (\d+)", printed.getvalue())
    return sorted({f"{names[one]} -> {names[other]}" for one, other in edges})


def describe_rules(workdir, config, root):
    """Return what each rule declares."""
    with _silent(), _workflow(workdir, config, root) as workflow:
        return {
            rule.name: {
                "docstring": rule.docstring,
                "message": rule.message,
                "log": list(map(str, rule.log)),
                "benchmark": rule.benchmark and str(rule.benchmark),
                "resources": set(rule.resources),
                "lines": Path(str(rule.snakefile)).read_text().splitlines(),
            }
            for rule in workflow._workflow.rules
        }


def _silent():
    return contextlib.redirect_stderr(io.StringIO())
