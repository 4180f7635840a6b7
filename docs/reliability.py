"""Write docs/reliability.md from what the tests of faults recorded: reliability.py FOLDER."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")

HEAD = """# Reliability

What happens when machines, disks and people fail, in short:

- **Killed** by Ctrl-C, by the system or with a power cut: start the run again, and it goes on where it stopped. {kills}
- **Full or read-only disk, clock that goes back, file that changes or vanishes during the run**: the run ends or goes on
  with a message that says what to do, and the next run ends with the same files. {others} such faults were injected.
- **Half-written or damaged files** never pass for whole ones: the message names the file.
- **Bad audio** stops no run: {audio}
- **What strangers may give** (bundles, music, tables, networks) runs no code, fills no disk and takes over no file: see the
  [last table](#what-strangers-may-give).

Each row below was recorded by a test that injected the fault for real on a tiny corpus and then checked what is said here;
`make reliability` runs those tests and writes this page. A test that fails leaves no row.

"Same files" means: run again, and every file below `results/` is byte by byte that of an
undisturbed run (of models their weights; but for logs, measured times, and the report, which shows
those), nothing is left over, and no process still runs.

## Faults
"""  # noqa: E501

STRANGERS = """
## What strangers may give

What others give runs no code, fills no disk, takes over no file, and becomes no markup or formula; SECURITY.md says what
is not promised. Each row is held by tests that fail once the protection is taken away.

| what | what is promised | tests |
|---|---|---|
| a bundle | every value is checked for type, range and form before it is used; links, pipes and devices are refused; no path leads out; nothing is unpickled | bundle/test_description.py, bundle/test_bundles.py, workflow/test_security.py |
| a classifier (`.skops`) | no code runs; it is built anew of exact steps, with arrays that fit each other; what it unpacks to is limited | learners/test_fitted.py, learners/test_classifiers.py, bundle/test_strangers.py |
| a network in Keras, OpenVINO or ONNX | code in it is refused, at any depth; a `.keras` file unpacks to a limit; only OpenVINO's own format is taken for it; ONNX is one file, all under its hash; what a model gives are probabilities, or it is refused. Memory and time are not limited, and readers written in C can have faults: HDF5 1.14.6, of h5py 3.14.0, has known ones (CVE-2025-44904, CVE-2025-44905), and TensorFlow 2.21 allows no later h5py. Use a sandbox for bundles of people whom you don't know (SECURITY.md) | features/test_backend.py, features/test_engines.py, features/test_onnx_networks.py, bundle/test_strangers.py, workflow/test_security.py |
| texts in models and errors, names of files | no control characters reach the terminal, in what Snakemake says neither | learners/test_fitted.py, features/test_backend.py, bundle/test_predict.py, bundle/test_strangers.py, audio/test_wav_script.py, runtime/test_patches.py |
| music | only decoders of audio open it, and no other file or address; time, samples and memory are limited in a corpus and a prediction; libsndfile sees but our own WAVs | audio/test_decode.py, audio/test_wav_script.py, audio/test_wav.py, workflow/test_bad_audio.py |
| tables, names, tags | no name becomes a path; what no name can show is left out of it; texts are shown as text in the report, figures, Markdown and CSVs; tags are read within limits of time and memory, and cut | audio/test_tags.py, corpus/test_tagged.py, corpus/test_readers.py, runtime/test_files.py, bundle/test_bundles.py, report/test_page.py, workflow/test_security.py |
| names of files given to make | nothing in them runs | test_envs.py |
| a configuration | unknown keys and wrong values are refused; it is trusted otherwise. The report leaves out passwords and absolute paths | test_config.py, report/test_provenance.py |
| a shared folder | links in the place of outputs, temporary files, logs and downloads are replaced, in that of a lock refused; what they lead to stays | runtime/test_files.py, bundle/test_bundles.py, runtime/test_locks.py, runtime/test_logs.py, audio/test_wav_script.py, corpus/test_downloads.py, test_envs.py |
| a server | a download ends at a limit, isn't taken compressed, and has the known hash; an archive's member that would leave its folder is refused | corpus/test_downloads.py, features/test_weights.py |
"""  # noqa: E501
"""Promises, not recorded but held by the tests that are named."""

TABLE = """| fault | stage | rounds | what the user sees | outcome |
|---|---|---|---|---|
"""


def page(rows: Iterable[dict[str, str]], bad_audio: str = "") -> str:
    """Return the page on faults; rows that differ in their stage alone are one."""
    stages: dict[tuple[str, str, str], Counter[str]] = {}
    for row in rows:
        key = (row["fault"], row["shown"], row["outcome"])
        stages.setdefault(key, Counter())[row["stage"]] += 1
    lines = [
        _row(fault, _named(found), str(found.total()), shown, outcome)
        for (fault, shown, outcome), found in sorted(stages.items())
    ]
    head = HEAD.format(
        kills=_kills(stages),
        others=sum(found.total() for (fault, *_), found in stages.items() if not _kills_a(fault)),
        audio=bad_audio.partition("\n")[0] or "not tried this time.",
    )
    parts = [head, TABLE + "\n".join(lines)]
    if bad_audio:
        parts.append("\n## Bad audio\n\n" + bad_audio.strip())
    return "\n".join(parts) + "\n" + STRANGERS


def _kills_a(fault: str) -> bool:
    return fault.startswith(("SIGKILL", "Ctrl-C"))


def _kills(stages: dict[tuple[str, str, str], Counter[str]]) -> str:
    killed = [found for (fault, *_), found in stages.items() if _kills_a(fault)]
    rounds = sum(found.total() for found in killed)
    hit = len(set().union(*killed))
    return f"Tried {rounds} times, in {hit} stages: each time it ended with the same files."


def _named(found: Counter[str]) -> str:
    """Name stages, with how often where that is more than once."""
    return ", ".join(f"{stage} ({n})" if n > 1 else stage for stage, n in sorted(found.items()))


def _row(*cells: str) -> str:
    safe = [cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells]
    return f"| {' | '.join(safe)} |"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    recorded = (folder / "faults.jsonl").read_text(encoding="utf-8").splitlines()
    audio = folder / "bad_audio.md"
    PAGE.write_text(
        page(map(json.loads, recorded), audio.read_text("utf-8") if audio.exists() else ""),
        encoding="utf-8",
    )
