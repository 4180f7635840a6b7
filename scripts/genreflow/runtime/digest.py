"""Which code made an output: a hash over a script and the library modules that it uses."""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

DATA = (".csv", ".css", ".js", ".j2")
"""How files beside the modules end that count as code where a module names them."""


@cache
def code(script: str | Path) -> str:
    """Return a hash of a script and of all modules of this package that it imports.

    Imports are followed through the package, those within functions too; a table beside the
    modules counts where a module names it. Times and places of the
    files don't count, so a fresh checkout has the same hashes.

    Parameters
    ----------
    script
        A Python or Bash script.

    Returns
    -------
    str
        16 hexadecimal digits (SHA-256, cut).
    """
    script = Path(script)
    used = {script} | (_imported(script) if script.suffix == ".py" else set())
    digest = hashlib.sha256()
    # A script and a module may share a name; their folders differ.
    for path in sorted(used, key=lambda path: path.parts[-2:]):
        digest.update(f"{path.name}\n".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _imported(path: Path) -> set[Path]:
    """Return the package's modules that a file imports, directly or not."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        for module in _direct(waiting.pop()) - found:
            found.add(module)
            waiting.append(module)
    return found


@cache
def _direct(path: Path) -> frozenset[Path]:
    if path.suffix != ".py":
        return frozenset()
    names, data = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and str(node.value).endswith(DATA):
            data.add(node.value)
    inner = [name.split(".")[1:] for name in names if name.startswith(f"{PACKAGE.name}.")]
    files = data | {f"{'/'.join(parts)}.py" for parts in inner}
    return frozenset(file for name in files if (file := PACKAGE / name).is_file())


def work(*described: object, files: Iterable[str | Path]) -> str:
    """Return a hash of what a piece of work is done with, to know again what it left half done.

    Parameters
    ----------
    *described
        Settings, as plain values.
    files
        What is read. Their sizes and times count, which is faster than to read them all.

    Returns
    -------
    str
        16 hexadecimal digits (SHA-256, cut).
    """
    stats = [(str(path), *_size_and_time(path)) for path in files]
    text = json.dumps([described, stats], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _size_and_time(path: str | Path) -> tuple[int, int]:
    stat = Path(path).stat()
    return stat.st_size, stat.st_mtime_ns
