"""Checkouts whose Snakemake only writes down its arguments."""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write(checkout):
    """Write what `make` needs, with a stand-in for Snakemake; return the folder."""
    (checkout / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", checkout)
    for name in ("envs", "config"):
        shutil.copytree(ROOT / name, checkout / name)
    (checkout / "scripts").symlink_to(ROOT / "scripts")
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    # By these a Python that is called through the link finds its packages.
    for name in ("lib", "pyvenv.cfg"):
        (checkout / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (checkout / ".venv/.installed").touch()
    program = checkout / ".venv/bin/snakemake"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        "print(json.dumps(sys.argv[1:]), file=open('called', 'a'))\n"
    )
    program.chmod(0o755)
    return checkout


def calls(checkout):
    """Return the arguments of each call of its Snakemake."""
    return [json.loads(line) for line in (checkout / "called").read_text().splitlines()]
