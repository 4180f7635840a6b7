"""Genre classification of music: the library behind the workflow's rules.

Nothing here but ``runtime.patches`` imports Snakemake: every function takes plain arguments and can
be called from a Python prompt. A submodule imports its heavy packages itself, so importing
``genreflow`` costs nothing.
"""

from genreflow.runtime import places

places.prepare()

__version__ = "0.1.0"
