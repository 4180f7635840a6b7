# ruff: noqa: F401
"""What new processes for the workflow begin with (harness.py): imported and read once."""

# Snakemake imports some of these late.
import imageio_ffmpeg
import nbformat
import packaging.version
import pandas
import smart_open
import snakemake.cli
import yte
from genreflow.corpus import overview
from genreflow.plan import stages
from genreflow.report import ending
from genreflow.runtime import digest, terminal

for _file in digest.PACKAGE.parent.rglob("*.py"):
    digest.closure(_file)
