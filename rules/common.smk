# Reads the configuration and the tracks, and makes the plan (scripts/genreflow/plan). The rules take
# their inputs, params and patterns from it.

import gc
import os

import imageio_ffmpeg

from genreflow import config as configuration, split_names
from genreflow.audio import collect
from genreflow.corpus import genres, overview, readers, tracks
from genreflow.errors import GenreflowError
from genreflow.layout import (
    CLASSIFIER,
    COMBINER,
    NETWORK,
    PATTERNS,
    Layout,
)
from genreflow.learners import estimators
from genreflow.plan import plan, stages
from genreflow.plan.stages import one_of
from genreflow.report import ending
from genreflow.runtime import digest, files, locks, patches, orphans

# Planning makes millions of objects that stay: looking for garbage is a waste.
gc.set_threshold(200_000, 100, 100)
# For jobs. Not params: another place of the same programs and packages makes nothing stale.
os.environ.update(
    FFMPEG=imageio_ffmpeg.get_ffmpeg_exe(),
    GENREFLOW_PACKAGES=str(Path(imageio_ffmpeg.__file__).parents[1]),
    GENREFLOW_SCRIPTS=str(Path(workflow.basedir) / "scripts"),
    PYTHONSAFEPATH="1",  # no job imports what lies in the folder of the run
    **{orphans.RUN: str(os.getpid())},
)
patches.apply()


def checked(function, *args, **kwargs):
    """Call a function of the library; end with its errors, without places in the code."""
    try:
        return function(*args, **kwargs)
    except GenreflowError as error:
        # Not an exception: Snakemake would wrap it into a traceback.
        sys.exit(f"\n{error}\n")


if workflow.is_main_process:
    checked(files.require_writable, ".snakemake")
    checked(files.require_room, ".")
ALONE = workflow.is_main_process and checked(locks.drop_stale, ".snakemake")

config.update(checked(configuration.complete, config))
layout = Layout.of_corpus(config["corpus"]["name"])

if workflow.is_main_process and "tags" in sys.argv:
    # Before the plan, which a library may not allow yet.
    print(checked(overview.of_tags, config["corpus"], results=layout.root))
    sys.exit(0)

LACKING = "GENREFLOW_LACKING"


def lacking_downloads():
    """Return the files to be downloaded that aren't there; jobs get what the main process found.

    So the learners stay the same while a run goes on, whatever comes meanwhile.
    """
    if workflow.is_main_process or LACKING not in os.environ:
        wanted = [one["path"] for one in plan.downloads(config)]
        absent = [path for path in wanted if not os.path.exists(path)]
        os.environ[LACKING] = "\n".join(absent)
    return os.environ[LACKING].splitlines()


def read_listing():
    """List the tracks once, in the main process, and plan the run; jobs read what it found.

    So the tracks stay the same while a run goes on, whatever happens to the corpus meanwhile.
    """
    make = plan.Plan.of
    if not workflow.is_main_process:
        listing = tracks.read_listing(layout.listing)
        return listing, make(config, listing.tracks, lacking=lacking_downloads())
    how = {"seed": config["seed"], "audio_for": plan.audio_for(config)}
    listing = checked(readers.list_tracks, config["corpus"], results=layout.root, **how)
    paths = (layout.listing, *(track.path for track in listing.tracks))
    if warning := files.future_warning(paths):
        logger.warning(warning)
    made = checked(make, config, listing.tracks, lacking=lacking_downloads())
    # Not while another run goes on: a dry run beside it mustn't change what its jobs read.
    if not listing.problem and (ALONE or not os.path.exists(layout.listing)):
        checked(files.require_writable, layout.root)
        tracks.write_listing(listing, layout.listing)
        genres.write_without_genre(listing, layout.without_genre)
    return listing, made


def require_corpus():
    """Stop with one clear line where the corpus isn't on disk yet."""
    if listing.problem:
        sys.exit(f"\n{listing.problem}\n")


listing, PLAN = read_listing()
STAGES = stages.Stages(PLAN, require_corpus)
if workflow.is_main_process and "fetch" not in sys.argv:
    if PLAN.choice:
        logger.info(PLAN.choice)
    if not PLAN.reads_audio:
        logger.info(tracks.UNHEARD)
    for line in ending.beforehand(listing, PLAN.left_out):
        logger.warning(line)


def code(*sources):
    """Hash scripts and the library modules that they use; outputs of other code are stale."""
    return digest.code(*(Path(workflow.basedir) / "scripts" / one for one in sources))


def audio_to_predict(wildcards):
    """Return the files that are to be predicted, as far as Snakemake can hold their names."""
    path = config["predict"]["path"]
    if not path:
        sys.exit(
            "\nGive a file, a folder or a list to predict: --config predict=PATH\n"
        )
    asked = checked(collect.asked_for, [path])
    return [str(path) for path in asked.files if readers.can_be_input(path)]


def more_memory_by_attempt():
    """Let a job that is started again (--retries) have its memory twice, then three times."""
    # Once all rules are known: what a profile or --set-resources gives grows so too.
    for one in workflow.rules:
        memory = one.resources.get("mem_mb")
        if memory is not None and isinstance(memory.raw, int):
            one.resources["mem_mb"] = memory_of_attempt(memory.raw)


def memory_of_attempt(megabytes):
    """Return how much memory each attempt gets [MB]."""
    return lambda wildcards, attempt: megabytes * attempt
