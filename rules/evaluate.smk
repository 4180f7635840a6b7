rule latency:
    """Measure how long each learner takes to predict a clip, with the machine to itself."""
    input:
        predictions=STAGES.timed_predictions,
        models=STAGES.timed_models,
        features=STAGES.timed_features,
        images=layout.spectrograms,
        tracks=layout.tracks,
        split=layout.split(PLAN.splits[0]),
    output:
        csv=layout.table("latency"),
        markdown=layout.table("latency", "md"),
    log:
        layout.log("latency"),
    benchmark:
        layout.benchmark("latency")
    conda:
        "../envs/genreflow.yaml"
    # All cores, so that nothing else runs meanwhile. On a cluster, their number isn't known.
    threads: workflow.resource_settings.cores or config["latency"]["threads"]
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        results=STAGES.results,
        clips=config["latency"]["clips"],
        threads=config["latency"]["threads"],
        learners=STAGES.described(PLAN.timed),
        networks=lambda wildcards: PLAN.networks_of(PLAN.timed),
        ensembles={one.name: one.members for one in PLAN.of_family("ensemble")},
        seeds={one.name: len(config["seeds"]) for one in PLAN.seeded},
        titles=PLAN.titles(PLAN.timed),
        note=PLAN.notes,
        code=code("latency.py", *STAGES.modules),
    message:
        "Measure the latency of the learners"
    script:
        "../scripts/latency.py"


rule tables:
    """Compare all learners on all splits, from their predictions alone."""
    input:
        predictions=STAGES.predictions,
        tracks=layout.tracks,
        latency=layout.table("latency") if PLAN.measures_latency else [],
    output:
        comparison=report(
            layout.table("comparison"),
            caption="../report/ranking.rst",
            category="Ranking",
            labels={"table": "comparison"},
        ),
        markdown=layout.table("comparison", "md"),
        tests=report(
            layout.table("significance"),
            caption="../report/ranking.rst",
            category="Ranking",
            labels={"table": "tests between learners"},
        ),
        tests_markdown=layout.table("significance", "md"),
        genres=layout.table("genres"),
        calibration=layout.table("calibration"),
        summary=layout.table("summary", "txt"),
    log:
        layout.log("tables"),
    benchmark:
        layout.benchmark("tables")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=STAGES.results,
        fma_small=PLAN.is_fma_small,
        marks=PLAN.marks,
        left_out=PLAN.left_out,
        about=PLAN.about,
        choice=STAGES.choice,
        note=PLAN.notes,
        code=code("tables.py"),
    message:
        "Compare the learners"
    script:
        "../scripts/tables.py"


rule accuracy_figure:
    """Draw each learner's test accuracy with its interval."""
    input:
        layout.table("comparison"),
    output:
        report(
            layout.figure("accuracy"),
            caption="../report/ranking.rst",
            category="Ranking",
            labels={"figure": "accuracy"},
        ),
    log:
        layout.log("accuracy_figure"),
    benchmark:
        layout.benchmark("accuracy_figure")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        note=PLAN.notes,
        code=code("accuracy_figure.py"),
    message:
        "Draw the accuracies"
    script:
        "../scripts/accuracy_figure.py"


rule standing:
    """Put the results on FMA small's official split among published ones."""
    input:
        layout.table("comparison"),
    output:
        csv=layout.table("standing"),
        markdown=layout.table("standing", "md"),
        figure=report(
            layout.figure("standing"),
            caption="../report/standing.rst",
            category="Ranking",
            labels={"figure": "published results"},
        ),
    log:
        layout.log("standing"),
    benchmark:
        layout.benchmark("standing")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        note=PLAN.notes,
        code=code("standing.py"),
    message:
        "Look up where the results stand"
    script:
        "../scripts/standing.py"


rule calibration_figure:
    """Draw how often the best learner of each kind is right, by how sure it is."""
    input:
        calibration=layout.table("calibration"),
        comparison=layout.table("comparison"),
    output:
        report(
            layout.figure("{family}", "calibration"),
            caption="../report/calibration.rst",
            category="Ranking",
            labels={"figure": "calibration", "split": "{family}"},
        ),
    log:
        layout.log("calibration_figure", "{family}"),
    benchmark:
        layout.benchmark("calibration_figure", "{family}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        note=PLAN.note,
        code=code("calibration_figure.py"),
    message:
        "Draw the calibration on {wildcards.family}"
    script:
        "../scripts/calibration_figure.py"


# One job draws the figures of all learners: starting it takes ten times as long as a figure.


rule confusion_matrices:
    """Draw which genres each learner mixes up, on the test part of a split."""
    input:
        STAGES.predictions_of_family,
    output:
        figures=[
            report(
                layout.figure("{family}", learner, "confusion_matrix"),
                caption="../report/confusion.rst",
                category="Confusion matrices",
                labels={"learner": learner, "split": "{family}"},
            )
            for learner in PLAN.learners
        ],
        counts=[
            layout.figure("{family}", learner, "confusion_matrix", ending="csv")
            for learner in PLAN.learners
        ],
    log:
        layout.log("confusion_matrices", "{family}"),
    benchmark:
        layout.benchmark("confusion_matrices", "{family}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=STAGES.results,
        learners=list(PLAN.learners),
        titles=PLAN.titles(PLAN.learners.values()),
        note=PLAN.note,
        code=code("confusion_matrices.py"),
    message:
        "Draw the confusion matrices on {wildcards.family}"
    script:
        "../scripts/confusion_matrices.py"


rule learning_curves:
    """Draw each network's loss and accuracy over the epochs, of all seeds and folds in one figure."""
    input:
        STAGES.histories_of_family,
    output:
        single=[
            report(
                layout.figure("{family}", learner.name, "learning_curves"),
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"learner": learner.name, "split": "{family}"},
            )
            for learner in PLAN.seeded
        ],
        pairs=[
            report(
                layout.figure("{family}", plan.pair_name(pair)),
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"learner": plan.pair_name(pair), "split": "{family}"},
            )
            for pair in PLAN.curve_pairs
        ],
    log:
        layout.log("learning_curves", "{family}"),
    benchmark:
        layout.benchmark("learning_curves", "{family}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=STAGES.results,
        monitors={one.name: one.monitor for one in PLAN.seeded},
        pairs=PLAN.curve_pairs,
        titles=PLAN.titles(PLAN.seeded),
        note=PLAN.note,
        code=code("learning_curves.py"),
    message:
        "Draw the learning curves on {wildcards.family}"
    script:
        "../scripts/learning_curves.py"
