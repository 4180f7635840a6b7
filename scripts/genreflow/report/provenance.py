"""What a result was made with: versions of the software, commit of the code, configuration."""

import re
import shutil
import subprocess
from pathlib import Path, PureWindowsPath
from typing import Any

from genreflow.runtime.versions import version_of

PACKAGES = ("snakemake", "librosa", "numpy", "keras", "tensorflow", "openvino", "scikit-learn")
"""On whose versions numbers can depend."""

_ABSOLUTE = re.compile(r"[/~\\]|file:|[A-Za-z]:[/\\]")
_WITH_PASSWORD = re.compile(r"(://)[^/\s]*@")
_WITH_QUERY = re.compile(r"(://[^?\s]*\?)\S+")


def shareable(setting: Any) -> Any:
    """Return settings without what is nobody's business but of who runs the workflow.

    Absolute paths tell how somebody's computer and folders are called: their last part stays. Names
    and passwords in addresses go, and what follows a question mark, where keys stand.
    """
    if isinstance(setting, dict):
        return {key: shareable(value) for key, value in setting.items()}
    if isinstance(setting, list | tuple):
        return [shareable(value) for value in setting]
    if not isinstance(setting, str):
        return setting
    if _ABSOLUTE.match(setting):
        return f"…/{PureWindowsPath(setting).name}"
    return _WITH_QUERY.sub(r"\1…", _WITH_PASSWORD.sub(r"\1…@", setting))


def versions() -> dict[str, str]:
    """Return the version of genreflow and of each of `PACKAGES`."""
    return {name: version_of(name) for name in ("genreflow", *PACKAGES)}


def commit(folder: str | Path) -> str:
    """Return the short hash of the commit that is checked out in a folder; "" if none is known."""
    git = shutil.which("git")
    if git is None:
        return ""
    shown = subprocess.run(  # noqa: S603
        [git, "-C", str(folder), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    return shown.stdout.strip()
