"""Predict the genres of files: ``genreflow predict BUNDLE FILES...``.

From a checkout: ``python -P -m genreflow.bundle.predict``.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from genreflow.bundle import files, playlists
from genreflow.bundle.predicted import table, to_text, write_tables
from genreflow.errors import GenreflowError, printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit status: 0 if at least one file was predicted, 1 if none could be, 2 if the bundle
        or the arguments can't be used.
    """
    parser = argparse.ArgumentParser(prog="python -P -m genreflow.bundle.predict")
    describe(parser)
    return predict(parser.parse_args(arguments))


def predict(given: argparse.Namespace) -> int:
    """Do what arguments ask for that `describe` told a parser of; return the exit status."""
    try:
        found = files.predict(
            given.bundle,
            given.files,
            hop=given.hop,
            whole=not given.first_clip,
            threads=given.threads,
            jobs=given.threads,
            report=lambda line: print(printable(line), file=sys.stderr, flush=True),
        )
    except GenreflowError as error:
        print(error, file=sys.stderr)
        return 2
    write_tables(found, by_file=given.output, by_window=given.segments, plain=given.json)
    if given.page is not None:
        from genreflow.bundle import page

        page.write(found, given.page)
    if given.playlists is not None:
        playlists.write(found, given.playlists)
    if (given.output, given.json, given.page) == (None, None, None):
        print(to_text(table(found.files)))
    return 1 if all(one.reason for one in found.files) else 0


def describe(parser: argparse.ArgumentParser) -> None:
    """Tell a parser of the arguments."""
    parser.description = "Predict the genre of music by an exported learner."
    parser.epilog = (
        "Exit status: 0 if at least one file was predicted, 1 if none could be, 2 if the "
        "bundle or the arguments can't be used."
    )
    parser.add_argument("bundle", help="folder of the exported learner")
    parser.add_argument(
        "files", nargs="+", help="audio files, folders, or lists (.txt, .m3u, .pls)"
    )
    add = parser.add_argument
    add("--page", metavar="FILE", help="HTML page to write, to look at and listen to")
    add("--output", metavar="FILE", help="CSV to write; without any file a table is shown")
    add("--segments", metavar="FILE", help="CSV to write of all windows of all files")
    add("--json", metavar="FILE", help="JSON to write, of files and windows")
    add("--playlists", metavar="FOLDER", help="where to write a playlist per genre, GENRE.m3u8")
    add("--hop", type=float, help="seconds from window to window")
    add("--first-clip", action="store_true", help="look at the first clip of each file only")
    add("--threads", type=int, default=os.cpu_count(), help="of the processor")


if __name__ == "__main__":
    sys.exit(main())
