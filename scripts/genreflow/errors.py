"""The exceptions that are meant for users, and what their messages need."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher


class GenreflowError(Exception):
    """Something that the user can mend.

    The message names the file, key or track, says what was expected, and what to do.
    Scripts show it without a traceback, and without what would change a terminal: names in it may
    come from anybody.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class NotPossible(GenreflowError):  # noqa: N818 (an outcome, not a fault)
    """The data don't allow this learner, while everything is in order otherwise.

    The message is the reason. The learner ends with it; all others go on.
    """


class Unusable(GenreflowError):  # noqa: N818 (an outcome, not a fault)
    """A clip that can't be used for something: too short, at too low a rate.

    The message is the reason. The clip is left out, counted and named.
    """


def require_enough(
    lost: Sequence[tuple[str, str]], total: int, limit: float, said: str, remedy: str
) -> None:
    """Raise GenreflowError if more than a share of so many tracks is lost, by `max_excluded`.

    Parameters
    ----------
    lost
        What each is called, and the reason.
    said
        What is wrong with them.
    remedy
        What else can be done than to raise the limit.
    """
    if len(lost) > limit * total:
        first = "\n".join(f"  - {one}: {reason}" for one, reason in lost[:5])
        raise GenreflowError(
            f"{len(lost):,} of {total:,} tracks {said}, more than corpus.max_excluded, "
            f"{limit:.0%}. The first:\n{first}\n{remedy}, or raise corpus.max_excluded if that "
            "many may be missing."
        )


def printable(text: str, *, keep: str = "") -> str:
    """Return a text with escapes for what isn't printed: control characters, bytes of no text.

    Characters of `keep` are left as they are.
    """
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    # How Python holds a byte of a file's name that isn't UTF-8.
    byte = ord(char) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else char.encode("unicode_escape").decode()


def in_a_line(error: Exception) -> str:
    """Return what an error of another library says, cut where it is long."""
    return " ".join(str(error).split())[:500]


def some(names: Sequence[str]) -> str:
    """Name the first five, and count the rest."""
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")


def nearest_first(word: str, known: Iterable[str], *, likeness: float = 0) -> list[str]:
    """Return the known words, the most like a word first; capitals don't count.

    Those that are less like it than `likeness`, 0 to 1, are left out.
    """
    found = {one: SequenceMatcher(None, one.lower(), word.lower()).ratio() for one in known}
    return sorted((one for one in found if found[one] >= likeness), key=found.get, reverse=True)
