"""Texts of others in tables: no spreadsheet takes one for a formula."""

import re
import unicodedata

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def begins_formula(text: str) -> bool:
    """Tell whether a spreadsheet takes a text for a formula, which may ask other computers."""
    # Wide forms of the signs too, which spreadsheets in East Asian languages take.
    return unicodedata.normalize("NFKC", text[:1]) in ("=", "+", "-", "@", "\t", "\r", "\n")


def guarded(text: str) -> str:
    """Return a text for a cell: an apostrophe stands before what would begin a formula.

    So it does before apostrophes that stand there already, for `unguarded` to bring back the text.
    Numbers stay as they are.
    """
    if text[:1].isalnum() or not _is_guarded(f"'{text}") or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def unguarded(cell: str) -> str:
    """Return the text that `guarded` made a cell of."""
    return cell[1:] if _is_guarded(cell) else cell


def _is_guarded(cell: str) -> bool:
    return cell[:1] == "'" and begins_formula(cell.lstrip("'"))
