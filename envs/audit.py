"""Look up the versions of envs/requirements.lock in the advisories of PyPI, by pip-audit.

Without network, or where pip-audit can't be had, a line says that the scan was skipped.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
HOME = Path(".genreflow/pip-audit")
"""An environment of its own, for it must not change what the workflow runs with."""
VERSION = "2.9.0"

_HDF5 = "HDF5 in h5py 3.14; TensorFlow 2.21 allows no later one: use a sandbox (SECURITY.md)"

ACCEPTED: dict[str, str] = {
    "CVE-2025-44904": _HDF5,
    "CVE-2025-44905": _HDF5,
}
"""Findings that can't be mended yet, with the reason."""


def findings(report: str, accepted: dict[str, str] = ACCEPTED) -> list[str] | None:
    """Return a line a finding of pip-audit's JSON; None if there was no scan."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return None
    if not any("vulns" in one for one in packages):  # a mirror that knows no advisories
        return None
    return [
        f"{one['name']} {one['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version'}"
        for one in packages
        for found in one.get("vulns", [])
        if not accepted.keys() & {found["id"], *found.get("aliases", [])}
    ]


def main() -> int:
    """Scan; return 1 if --strict and there is a finding that isn't accepted.

    Without, as in `make check`, it is said only: what was published today is no fault of a change.
    """
    program = HOME / "bin/pip-audit"
    if not program.exists():
        made = [[sys.executable, "-m", "venv", str(HOME)]]
        made += [[str(HOME / "bin/pip"), "install", "--quiet", f"pip-audit=={VERSION}"]]
        if any(subprocess.run(one, capture_output=True, check=False).returncode for one in made):
            print("Advisories: skipped, for pip-audit can't be installed (no network?)")
            return 0
    options = ["--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--format", "json"]
    done = subprocess.run(
        [program, *options, "--timeout", "15", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = findings(done.stdout)
    if found is None:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        print(f"Advisories: skipped, for PyPI can't be asked ({said[-1][:200]})")
        return 0
    print("\n".join(found) or "Advisories: none that isn't known and accepted (envs/audit.py)")
    return 1 if found and "--strict" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
