"""What a result was made with: versions of the software, and the commit of the code."""

import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import genreflow

PACKAGES = (
    "snakemake",
    "librosa",
    "numpy",
    "keras",
    "tensorflow",
    "openvino",
    "onnxruntime",
    "scikit-learn",
)
"""On whose versions numbers can depend."""


def versions() -> dict[str, str]:
    """Return the version of genreflow and of each of `PACKAGES`."""
    found = {name: metadata.version(name) for name in PACKAGES}
    return {"genreflow": genreflow.__version__, **found}


def commit(folder: str | Path) -> str:
    """Return the short hash of the commit that is checked out in a folder; "" if none is known."""
    git = shutil.which("git")
    if git is None:
        return ""
    shown = subprocess.run(  # noqa: S603
        [git, "-C", str(folder), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    return shown.stdout.strip()
