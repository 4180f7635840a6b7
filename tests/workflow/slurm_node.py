"""A SLURM of one node, whose daemons keep all they write in one folder.

Needs the programs of Debian's packages ``slurm-wlm`` and ``munge``, and nothing that runs already.
The memory limits of jobs are enforced by watching processes, for there may be no cgroups.
"""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
"""What the node has is what the jobs may ask for, not what the machine has."""

SECONDS = 60
"""What must happen happens within this time."""


def _program(name):
    # Debian has daemons where only root looks.
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path:
        return path
    lacking = f"this test needs {name}; Debian: apt install slurm-wlm munge"
    # Where all tests must run, as in .ci/run, nothing is skipped.
    if os.environ.get("GENREFLOW_REQUIRE_SLURM"):
        raise FileNotFoundError(lacking)
    pytest.skip(lacking)


def wait_until(condition, what, log, *, seconds=SECONDS):
    """Wait until a condition holds; the end of patience shows a log."""
    deadline = time.monotonic() + seconds
    while not condition():
        said = log.read_text() if log.exists() else ""
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{said}"
        time.sleep(0.1)


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Node:
    """The node, for whoever has its environment."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        }

    def ask(self, program, *args):
        """Run one of SLURM's programs and return what it prints."""
        done = subprocess.run(
            [program, *args], env=self.environment, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self):
        """List all jobs, also those that ended, in the order in which they came."""
        fields = {"id": "%i", "state": "%T", "memory": "%m", "what": "%k"}
        form = "--format=" + "|".join(fields.values())
        shown = self.ask("squeue", "--states=all", "--noheader", form).splitlines()
        found = [dict(zip(fields, line.split("|"), strict=True)) for line in shown]
        return sorted(found, key=lambda job: int(job["id"]))

    def is_ready(self):
        with suppress(AssertionError):
            return self.ask("sinfo", "--noheader", "--format=%T").strip() in ("idle", "mixed")
        return False

    def is_empty(self):
        return self.ask("squeue", "--noheader") == ""


def _write_srun(folder):
    """Tell srun where the settings are; Snakemake's plugin starts it without SLURM_CONF."""
    script = folder / "bin/srun"
    script.parent.mkdir()
    settings = folder / "slurm.conf"
    script.write_text(f'#!/bin/sh\nSLURM_CONF={settings} exec {_program("srun")} "$@"\n')
    script.chmod(0o755)


@contextmanager
def _daemon(folder, name, *args):
    """Run a daemon in the foreground, so that it ends with the test."""
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    with (
        (folder / f"{name}.out").open("w") as out,
        subprocess.Popen(
            [_program(name), *map(str, args)], stdout=out, stderr=out, env=environment
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=SECONDS)
            process.kill()


@contextmanager
def running():
    """Start munged, slurmctld and slurmd, and stop them and all jobs at the end."""
    for name in ("munged", "slurmctld", "slurmd", "sbatch", "squeue"):
        _program(name)
    # Not below pytest's folders: the path of a socket has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o711)
    munge = folder / "munge"
    for part in (munge, folder / "state", folder / "spool"):
        part.mkdir(mode=0o711)
    key = munge / "key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    settings = CONFIGURATION.format(
        folder=folder,
        host=socket.gethostname().split(".")[0],
        user=getpass.getuser(),
        controller_port=_free_port(),
        node_port=_free_port(),
    )
    (folder / "slurm.conf").write_text(settings)
    _write_srun(folder)
    options = [f"--key-file={key}", f"--socket={munge / 'socket'}", f"--seed-file={munge / 'seed'}"]
    options += [f"--pid-file={munge / 'pid'}", f"--log-file={munge / 'log'}"]
    node = Node(folder)
    try:
        with ExitStack() as daemons:
            daemons.enter_context(_daemon(folder, "munged", "--foreground", "--force", *options))
            wait_until((munge / "socket").exists, "munged starts", folder / "munged.out")
            daemons.enter_context(_daemon(folder, "slurmctld", "-D"))
            daemons.enter_context(_daemon(folder, "slurmd", "-D"))
            wait_until(node.is_ready, "the node is ready", folder / "slurmctld.log")
            try:
                yield node
            finally:
                node.ask("scancel", f"--user={getpass.getuser()}")
                wait_until(node.is_empty, "all jobs end", folder / "slurmctld.log")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
