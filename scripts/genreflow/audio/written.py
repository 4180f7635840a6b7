"""Files as people and players write them down: in other encodings, forms of Unicode and signs."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from genreflow import names
from genreflow.errors import GenreflowError

UTF_8 = "UTF-8"
_MARKS = {
    b"\xef\xbb\xbf": ("utf-8-sig", UTF_8),
    b"\xff\xfe": ("utf-16", "UTF-16"),
    b"\xfe\xff": ("utf-16", "UTF-16"),
}
# So many such letters in a row are words of another alphabet, read in the wrong encoding.
_FOREIGN = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0160\u0161\u017d\u017e]{4}")


def decoded(content: bytes) -> tuple[str, str]:
    """Decode a text file, and name its encoding.

    UTF-8 and UTF-16 are known by their marks and by what they allow; what is neither can be
    Windows-1252, of which Latin-1 is a part, unless its words then are no words.

    Raises
    ------
    GenreflowError
        If it isn't a text in one of these; names the line.
    """
    for mark, (codec, name) in _MARKS.items():
        if content.startswith(mark):
            return _strictly(content, codec, name), name
    # Without a mark: every second byte of Latin letters is 0.
    for codec, zeros in (("utf-16-le", content[1:1000:2]), ("utf-16-be", content[:1000:2])):
        if zeros.count(0) > len(zeros) / 2:
            return _strictly(content, codec, "UTF-16"), "UTF-16"
    try:
        return _strictly(content, "utf-8", UTF_8), UTF_8
    except GenreflowError as error:
        try:
            text = _strictly(content, "cp1252", "Windows-1252")
        except GenreflowError:
            raise error from None
        if found := _FOREIGN.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise GenreflowError(
                f"line {line}: neither in UTF-8 nor in Windows-1252 (Latin-1): {found[0]!r}. Save "
                "it in UTF-8"
            ) from None
        return text, "Windows-1252 (Latin-1)"


def _strictly(content: bytes, codec: str, name: str) -> str:
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        raise GenreflowError(f"line {line}: not a text in {name}. Save it in UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise GenreflowError(f"line {line}: not a text. Save it as text in UTF-8")
    return text


class Lookup:
    """Finds files by names that may be written otherwise than on disk.

    Each folder is read once, so ask a new one after files have changed.
    """

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, dict[str, list[str]]]] = {}

    def find(self, base: str | Path, written: str) -> str:
        """Return the path of what is meant, relative paths starting from `base`.

        Tried are the text as it is, as a file:// address, with %20 for blanks, and with
        backslashes; each also where names on disk are in another form of Unicode, or differ in
        letter case and blanks from one name only. If nothing is there, the text is taken as it is.
        """
        tries = [os.path.join(base, path) for path in _readings(written)]  # noqa: PTH118
        for path in tries:
            if os.path.lexists(path):
                return path
        return next(filter(None, map(self.alike, tries)), tries[0])

    def alike(self, path: str) -> str:
        """Return the path on disk that is equal but for form of Unicode, case and blanks, or ""."""
        if os.path.lexists(path):
            return path
        parent, name = os.path.split(path)
        if not name or parent == path:
            return ""
        there = self.alike(parent) if parent else "."
        if not there or not os.path.isdir(there):  # noqa: PTH112 (of thousands of paths)
            return ""
        forms = self._names(there)
        for how in (names.folded, names.key):
            found = forms[how.__name__].get(how(name), [])
            if len(found) == 1:
                return os.path.join(parent and there, found[0])  # noqa: PTH118
        return ""

    def _names(self, folder: str) -> dict[str, dict[str, list[str]]]:
        if folder not in self._folders:
            forms: dict[str, dict[str, list[str]]] = {}
            for how in (names.folded, names.key):
                forms[how.__name__] = defaultdict(list)
                for name in _entries(folder):
                    forms[how.__name__][how(name)].append(name)
            self._folders[folder] = forms
        return self._folders[folder]


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 (of thousands of names)
    except OSError:
        return []


def _readings(written: str) -> Iterator[str]:
    """Yield the paths that a text may stand for, the plainest first."""
    if found := re.match("file:(//[^/]*)?(?=/|[^/])", written, re.IGNORECASE):
        yield from _unquoted(written[found.end() :])
        return
    yield written
    plain = written.replace("\\", "/")
    if plain != written:
        yield plain
    for text in dict.fromkeys((written, plain)):
        if "%" in text:
            yield from _unquoted(text)


def _unquoted(text: str) -> Iterator[str]:
    """Yield what percent signs stand for: in UTF-8, as bytes, in Windows-1252."""
    yield unquote(text)
    yield os.fsdecode(unquote_to_bytes(text))
    yield unquote(text, encoding="cp1252", errors="replace")


def playlist(path: Path) -> list[str]:
    """Return the files that a list names, as they are written there.

    It has a path a line, and ``#`` begins a comment (.txt, .m3u, .m3u8); or ``File1=`` and a path
    (.pls).

    Raises
    ------
    GenreflowError
        If it can't be read as a text; names the file.
    """
    try:
        text, _ = decoded(path.read_bytes())
    except (OSError, GenreflowError) as error:
        raise GenreflowError(
            f"{str(path)!r}: can't be read as a list of files, one per line ({error})"
        ) from None
    lines = [line.strip() for line in re.split("[\r\n]+", text)]
    if path.suffix.lower() == ".pls":
        found = (re.fullmatch(r"file\d+\s*=\s*(.*)", line, re.IGNORECASE) for line in lines)
        return [match[1] for match in found if match and match[1]]
    return [line for line in lines if line and not line.startswith("#")]


def as_playlist(paths: Iterable[str | Path]) -> str:
    """Return a playlist (.m3u8) of files that is right in any folder, as `playlist` reads it."""
    return "\n".join(["#EXTM3U", *map(_as_line, paths)])


def _as_line(path: str | Path) -> str:
    whole = Path(path).absolute()
    line = str(whole)
    # An address, where a line break, blanks at its end or bytes of no text would be lost.
    return line if line.isprintable() and line == line.strip() else whole.as_uri()
