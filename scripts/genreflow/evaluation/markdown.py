"""Tables for people to read, in Markdown."""

import html
import re
from collections.abc import Callable, Mapping

import pandas as pd

from genreflow.errors import printable

Columns = Mapping[str, tuple[str, Callable]]
"""Column of a table -> its heading for readers, and how a value is written."""


def escape(text: str) -> str:
    """Escape a name so that Markdown, HTML and a terminal show it as it is."""
    plain = html.escape(printable(" ".join(text.split())), quote=False)
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", plain)


def percent(share: float) -> str:
    """Write a share in percent, to one decimal and without the sign."""
    return f"{100 * share:.1f}"


def interval(low: float, high: float) -> str:
    """Write the ends of an interval of shares in percent."""
    return f"{percent(low)}-{percent(high)}"


def milliseconds(seconds: float) -> str:
    """Write a time in whole milliseconds, without the unit."""
    return f"{1000 * seconds:,.0f}" if seconds >= 0.0005 else "< 1"


def many(count: float, what: str) -> str:
    """Count things in words: ``1 test track``, ``1,200 test tracks``."""
    return f"{count:,.0f} {what}" + ("s" if count != 1 else "")


def table(rows: pd.DataFrame, columns: Columns) -> str:
    """Write a table.

    `columns` are in the order in which they are shown; those of `rows` that are empty throughout or
    aren't among them are not.
    """
    rows = rows.dropna(axis="columns", how="all")
    shown = pd.DataFrame(
        {
            heading: ["" if pd.isna(value) else write(value) for value in rows[column]]
            for column, (heading, write) in columns.items()
            if column in rows
        }
    )
    # Without disable_numparse tabulate would rewrite numbers: 40.0 to 40.
    return shown.to_markdown(index=False, disable_numparse=True)


def by_split(table: pd.DataFrame, write: Callable[[pd.DataFrame], str], note: str) -> str:
    """Write a table, with the column split, as one block a split.

    `write` returns what is said of the rows of one split; `note` is a line below each block that
    says what its numbers are worth, or "".
    """
    blocks = []
    for split, rows in table.groupby("split", sort=False):
        blocks += [f"## Split {escape(split)}", write(rows)]
        blocks += [f"*{escape(note)}*"] if note else []
    return "\n\n".join(blocks) + "\n"
