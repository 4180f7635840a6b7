"""Which code made an output: a hash over a script and the library modules that it uses.

Only what can change a result counts: not comments, docstrings, layout or the texts of errors.
"""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

WITHOUT_RESULT = ("__init__.py", "errors.py", "runtime/")
"""What of the package decides nothing that a result holds; paths below it."""

DATA = (".csv", ".css", ".js", ".j2", ".sh")
"""How other files end that count where a module names them."""


@cache
def code(*sources: str | Path) -> str:
    """Return a hash of scripts and of all modules of this package that they import.

    Imports are followed through the package, those within functions too; a table beside a module
    counts where the module names it. Of Python the syntax tree counts, without docstrings and
    without what exceptions are raised with; of Bash all lines but comments; of other files the
    bytes. Times and places don't count, so a fresh checkout has the same hashes.

    Parameters
    ----------
    *sources
        A script in Python or Bash, and modules that it imports by a name that only a run knows.

    Returns
    -------
    str
        16 hexadecimal digits (SHA-256, cut).
    """
    texts = sorted(f"{_name(path)}\n{_read(path)[0]}\0" for path in closure(*sources))
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def closure(*sources: str | Path) -> set[Path]:
    """Return files and all that they use of this package, directly or not."""
    waiting = [Path(source) for source in sources]
    found = set(waiting)
    while waiting:
        new = _read(waiting.pop())[1] - found
        found |= new
        waiting += new
    return found


def _name(path: Path) -> str:
    """Return a name that differs for a script and a module, and is the same in any checkout."""
    inside = path.is_relative_to(PACKAGE)
    return path.relative_to(PACKAGE.parent).as_posix() if inside else path.name


@cache
def _read(path: Path) -> tuple[str, frozenset[Path]]:
    """Return what of a file counts, and the package's files that it names."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sh":
        lines = (line for line in text.splitlines() if line.strip())
        return "\n".join(line for line in lines if not line.lstrip().startswith("#")), frozenset()
    if path.suffix != ".py":
        return text, frozenset()
    names: set[str] = set()
    meaning = _meaning(ast.parse(text), names)
    modules = {file for name in names for file in _files_of(name)}
    data = {
        file
        for name in names
        if name.endswith(DATA)
        for folder in (path.parent, PACKAGE.parent)
        if (file := Path(f"{folder}/{name}")).is_file()
    }
    return meaning, frozenset(modules | data)


def _meaning(node: object, names: set[str]) -> str:
    """Write a syntax tree without what changes nothing; note names of modules and files.

    Unlike `ast.dump` and `ast.unparse`, it gives the same for all versions of Python.
    """
    if isinstance(node, list):
        return f"[{','.join(_meaning(one, names) for one in node if not _is_docstring(one))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        node.exc = node.exc.func
    elif isinstance(node, ast.JoinedStr):  # Python 3.12 notes empty parts
        node.values = [part for part in node.values if getattr(part, "value", None) != ""]
    elif isinstance(node, ast.ImportFrom):
        names.update(f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Import):
        names.update(alias.name for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        names.add(node.value)
    fields = ((field, getattr(node, field, None)) for field in node._fields)
    # Newer versions of Python have more fields, empty where older ones could read the code.
    kept = (
        f"{field}={_meaning(value, names)}" for field, value in fields if value not in (None, [])
    )
    return f"{type(node).__name__}({','.join(kept)})"


def _is_docstring(node: object) -> bool:
    """Tell whether this is a statement of nothing but a string, below an assignment as well."""
    text = node.value if isinstance(node, ast.Expr) else None
    return isinstance(text, ast.Constant) and isinstance(text.value, str)


@cache
def _files_of(name: str) -> frozenset[Path]:
    """Return the files that are run for a dotted name: a module, packages around it."""
    top, *parts = name.split(".")
    if top != PACKAGE.name:
        return frozenset()
    places = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    files = [f"{place}{end}" for place in places for end in (".py", "/__init__.py")]
    counted = (file for file in files if not file.startswith(WITHOUT_RESULT))
    return frozenset(path for file in counted if (path := PACKAGE / file).is_file())


def fingerprint(*described: object, files: Iterable[str | Path]) -> str:
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
