"""What `make run`, `predict`, `tags`, `export` do: call Snakemake with what the environment says.

MUSIC, CONFIG, FILES, FOLDER, CORES and ARGS come from the environment, so that no shell reads them:
a path may hold blanks, quotes and whatever else. Paths go on in a file of settings: on the command
line Snakemake would take 2020_01_01 for a number, and hand quotes on to its jobs through a shell.
"""

import hashlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow.runtime import places

OWN_MUSIC = "config/own_audio.yaml"
SETTINGS = Path(".genreflow")
"""The folder of the files of settings; their names tell what they hold, for runs side by side."""


def arguments(target: str, given: Mapping[str, str]) -> list[str]:
    """Return Snakemake's arguments.

    Parameters
    ----------
    target
        ``run`` for all that there is, or a target of the workflow.
    given
        MUSIC, CONFIG, FILES, FOLDER, CORES and ARGS; any may be missing or empty.

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
        settings["corpus"] = {"audio": _existing("MUSIC", music, Path.is_dir)}
        overlay = OWN_MUSIC
    if target == "tags":
        folder = _existing("FOLDER", given.get("FOLDER", ""), Path.is_dir)
        settings["corpus"] = {"kind": "tags", "audio": folder}
        overlay = overlay or OWN_MUSIC
    if target == "predict":
        settings["predict"] = {"path": _existing("FILES", given.get("FILES", ""), Path.exists)}
    overlays = [_readable(_existing("CONFIG", overlay, Path.is_file))] if overlay else []
    if settings:
        overlays.append(_written(settings))
    try:
        further = shlex.split(given.get("ARGS", ""))
    except ValueError as error:
        sys.exit(f"ARGS={given['ARGS']}: can't be taken apart into arguments ({error})")
    return [
        *([] if target == "run" else [target]),
        *("--cores", _cores(given.get("CORES") or "all")),
        *(["--configfile", *overlays] if overlays else []),
        *further,
    ]


def _existing(name: str, path: str, is_there: Callable[[Path], bool]) -> str:
    """Return a path with ~ expanded."""
    if not path:
        sys.exit(f"Give {name}=PATH, for example {name}=my/music")
    expanded = os.path.expanduser(path)  # noqa: PTH111 - pathlib raises where a user is unknown
    if not is_there(Path(expanded)):
        what = {"MUSIC": "folder", "FOLDER": "folder", "CONFIG": "file"}.get(name, "file or folder")
        sys.exit(f"{name}={path}: there is no such {what}")
    return expanded


def _readable(overlay: str) -> str:
    """Return the path of a file of settings; Snakemake wouldn't say where it isn't YAML."""
    try:
        yaml.safe_load(Path(overlay).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        sys.exit(f"CONFIG={overlay}: can't be read as YAML:\n{error}")
    return overlay


def _cores(given: str) -> str:
    if given != "all" and not (given.isdecimal() and int(given)):
        sys.exit(f"CORES={given}: expected how many cores to use, such as 4, or all")
    return given


def _written(settings: Mapping[str, object]) -> str:
    """Write settings into a file, and return its path."""
    text = yaml.safe_dump(settings, allow_unicode=True)
    path = SETTINGS / f"make-{hashlib.sha256(text.encode()).hexdigest()[:12]}.yaml"
    path.parent.mkdir(exist_ok=True)
    # Beside its place first: what others put there, a link for instance, is itself replaced.
    part = path.with_suffix(f".{os.getpid()}")
    part.unlink(missing_ok=True)
    with part.open("x", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
    return str(path)


def main(target: str) -> int:
    """Call Snakemake; a run of a corpus that may be downloaded fetches it first."""
    given = {
        key: os.environ[key]
        for key in ("MUSIC", "CONFIG", "FILES", "FOLDER")
        if os.environ.get(key)
    }
    said = shlex.join(["make", target, *(f"{key}={value}" for key, value in given.items())])
    places.prepare()
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
    # Ctrl-C reaches Snakemake too, which ends its jobs and then itself; subprocess would kill it.
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(main(sys.argv[1]))
