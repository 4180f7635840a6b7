"""The command ``genreflow`` of the installed library: what works without the workflow."""

import argparse
import sys
import tempfile
from collections.abc import Sequence

import genreflow
from genreflow.errors import GenreflowError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    from genreflow.bundle import predict

    parser = argparse.ArgumentParser(
        prog="genreflow", description="Predict genres of music, and see what its tags say."
    )
    parser.add_argument("--version", action="version", version=genreflow.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("predict", help="the genres of files, by an exported learner")
    predict.describe(one)
    one.set_defaults(run=predict.predict)
    one = commands.add_parser("tags", help="what the tags of audio files say of genres")
    one.description = (
        "Show genres, artists and albums in the tags of audio files, and what is lacking."
    )
    one.add_argument("folder", metavar="FOLDER", help="of audio files, in folders of any kind")
    one.set_defaults(run=_tags)
    given = parser.parse_args(arguments)
    return given.run(given)


def _tags(given: argparse.Namespace) -> int:
    """Print what the tags below a folder say; return 2 if there is no such folder."""
    from genreflow import config
    from genreflow.corpus import overview

    try:
        # Kept for the next time only by a run, which knows where.
        with tempfile.TemporaryDirectory(prefix="genreflow-") as results:
            corpus = {"kind": "tags", "audio": given.folder}
            print(overview.of_tags(config.complete({"corpus": corpus})["corpus"], results=results))
    except GenreflowError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
