"""Write genreflow.yaml, the environment of all rules for conda users, from requirements.lock.

Snakemake copies the file elsewhere before conda reads it, so that it can't refer to the lock: the
versions stand in it.
"""

import re
from pathlib import Path

HEAD = """\
# The environment of all rules for conda users: the versions of requirements.lock, from which
# `make lock` writes this file.
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pip:
"""

PINNED = re.compile(r"^([A-Za-z0-9._-]+==[^\\\n]+?) *\\?$", re.MULTILINE)


def environment(lock: str) -> str:
    """Return the text of genreflow.yaml for the text of a lock."""
    return HEAD + "".join(f'      - "{pinned}"\n' for pinned in PINNED.findall(lock))


if __name__ == "__main__":
    folder = Path(__file__).parent
    lock = (folder / "requirements.lock").read_text(encoding="utf-8")
    (folder / "genreflow.yaml").write_text(environment(lock), encoding="utf-8")
