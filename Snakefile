# What a run makes, from audio files to tables. Each stage has a file below rules/. What rules read and
# depend on is worked out in scripts/genreflow/plan; rules/common.smk makes the plan.

from snakemake.utils import min_version

min_version("9.19")


include: "rules/terminal.smk"


configfile: workflow.source_path("config.yaml")


include: "rules/common.smk"
include: "rules/corpus.smk"
include: "rules/audio.smk"
include: "rules/spectrograms.smk"
include: "rules/augment.smk"
include: "rules/cnn.smk"
include: "rules/features.smk"
include: "rules/ffnn.smk"
include: "rules/classify.smk"
include: "rules/ensembles.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"
include: "rules/predict.smk"


report: "report/workflow.rst"


wildcard_constraints:
    **PATTERNS,
    split=split_names.PATTERN,
    family=one_of(PLAN.families),
    feature_set=one_of(PLAN.sets),


# On a cluster these run beside Snakemake: downloads, and what takes seconds.
localrules:
    accuracy_figure,
    all,
    augmented,
    calibration_figure,
    classify_table,
    confusion_matrices,
    copies_gallery,
    demo_metadata,
    ensemble,
    explained_variance,
    fetch,
    ffnn_table,
    genre_gallery,
    learning_curves,
    manifest,
    online_gallery,
    predict,
    search_figures,
    spectrograms,
    split,
    tables,
    wavs,


rule all:
    """Make the tables, the figures and the report of every learner on every split."""
    default_target: True
    input:
        STAGES.demo_metadata,
        STAGES.handcrafted_table,
        PLAN.tables,
        PLAN.figures,
        layout.report,


rule wavs:
    """Make the WAV of every track."""
    input:
        STAGES.wavs,


more_memory_by_attempt()


onstart:
    expect_jobs()


onsuccess:
    if rules.all.rule in workflow.dag.targetrules:
        made_by = ending.command(sys.argv, os.environ)
        logger.info(checked(ending.results, layout, STAGES.gathered, made_by))


onerror:
    say_how_to_go_on()
