"""What `make run`, `predict` and `export` do: call Snakemake with what the environment says.

MUSIC, CONFIG, FILES, CORES and ARGS come from the environment, so that no shell reads them: a path
may hold blanks, quotes and whatever else.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OWN_MUSIC = "config/own_audio.yaml"


def arguments(target: str, given: Mapping[str, str]) -> list[str]:
    """Return Snakemake's arguments.

    Parameters
    ----------
    target
        ``run`` for all that there is, or a target of the workflow.
    given
        MUSIC, CONFIG, FILES, CORES and ARGS; any may be missing or empty.

    Raises
    ------
    SystemExit
        If they contradict each other, or a path isn't there.
    """
    music, overlay = given.get("MUSIC", ""), given.get("CONFIG", "")
    if music and overlay:
        sys.exit(f"MUSIC runs {OWN_MUSIC}, so CONFIG={overlay} can't be given with it")
    settings: dict[str, object] = {}
    if music:
        settings["corpus"] = {"audio": _existing("MUSIC", music)}
        overlay = OWN_MUSIC
    if target == "predict":
        settings["predict"] = {"path": _existing("FILES", given.get("FILES", ""))}
    return [
        *([] if target == "run" else [target]),
        *("--cores", given.get("CORES") or "all"),
        *(["--configfile", overlay] if overlay else []),
        *shlex.split(given.get("ARGS", "")),
        # As JSON, which is YAML: Snakemake would take a name such as 2020_01_01 for a number.
        *(["--config"] if settings else []),
        *(f"{key}={json.dumps(value)}" for key, value in settings.items()),
    ]


def _existing(name: str, path: str) -> str:
    """Return a path with ~ expanded."""
    if not path:
        sys.exit(f"Give {name}=PATH, for example {name}=my/music")
    expanded = Path(path).expanduser()
    if not expanded.exists():
        sys.exit(f"{name}={path}: there is no such file or folder")
    return str(expanded)


def main(target: str) -> int:
    """Call Snakemake; a run of a corpus that may be downloaded fetches it first."""
    given = {key: os.environ[key] for key in ("MUSIC", "CONFIG", "FILES") if os.environ.get(key)}
    said = shlex.join(["make", target, *(f"{key}={value}" for key, value in given.items())])
    environment = os.environ | {"GENREFLOW_COMMAND": said}
    fetches = target == "run" and "CONFIG" in given
    for one in ["fetch", target] if fetches else [target]:
        command = ["snakemake", *arguments(one, os.environ)]
        print(shlex.join(command), flush=True)
        program = str(Path(sys.executable).with_name("snakemake"))
        done = subprocess.run([program, *command[1:]], env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
