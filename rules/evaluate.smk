rule inference:
    """Time the prediction of single clips by each learner, with the machine to itself."""
    input:
        predictions=predictions_to_time,
        models=models_to_time,
        features=features_to_time,
        images=layout.spectrograms,
        tracks=layout.tracks,
        split=layout.split(SPLITS[0]),
    output:
        csv=layout.table("inference"),
        markdown=layout.table("inference", "md"),
    log:
        layout.log("inference"),
    benchmark:
        layout.benchmark("inference")
    conda:
        "../envs/genreflow.yaml"
    # All there are, so that nothing else runs and is timed with it. Of a cluster, no number is known.
    threads: workflow.resource_settings.cores or config["inference"]["threads"]
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        results=results_folder,
        clips=config["inference"]["clips"],
        threads=config["inference"]["threads"],
        joined=config["transfer"]["joined"],
        variants=crops_of_variants(),
        ensembles=members_of_ensembles(),
        seeds=len(config["seeds"]),
        marks=marks(),
        note=notes(),
        code=code("inference.py"),
    message:
        "Time the prediction of clips"
    script:
        "../scripts/inference.py"


rule tables:
    """Compare all learners on all splits, from their predictions alone."""
    input:
        predictions=predictions,
        inference=inference_times(),
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
            labels={"table": "McNemar's tests"},
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
        results=results_folder,
        fma_small=is_fma_small(),
        marks=marks(),
        left_out=left_out(),
        note=notes(),
        code=code("tables.py"),
    message:
        "Compare the learners"
    script:
        "../scripts/tables.py"


rule accuracy_figure:
    """Draw the test accuracy of each learner with its interval."""
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
        note=notes(),
        code=code("accuracy_figure.py"),
    message:
        "Draw the accuracies"
    script:
        "../scripts/accuracy_figure.py"


rule calibration_figure:
    """Draw how often each learner is right, by how sure it is."""
    input:
        layout.table("calibration"),
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
        note=notes(),
        code=code("calibration_figure.py"),
    message:
        "Draw the calibration on {wildcards.family}"
    script:
        "../scripts/calibration_figure.py"


# One job draws the figures of all learners: starting it takes ten times as long as a figure.


rule confusion_matrices:
    """Draw which genres each learner takes for which, on the test part of a split."""
    input:
        predictions_of_family,
    output:
        figures=[
            report(
                layout.figure("{family}", learner, "confusion_matrix"),
                caption="../report/confusion.rst",
                category="Confusion matrices",
                labels={"learner": learner, "split": "{family}"},
            )
            for learner in learners()
        ],
        counts=[
            layout.figure("{family}", learner, "confusion_matrix", ending="csv")
            for learner in learners()
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
        results=results_folder,
        learners=learners(),
        marks=marks(),
        note=notes(),
        code=code("confusion_matrices.py"),
    message:
        "Draw the confusion matrices on {wildcards.family}"
    script:
        "../scripts/confusion_matrices.py"


rule learning_curves:
    """Draw each network's loss and accuracy over the epochs, all seeds and folds together."""
    input:
        histories_of_family,
    output:
        single=[
            report(
                layout.figure("{family}", learner, "learning_curves"),
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"learner": learner, "split": "{family}"},
            )
            for learner in networks()
        ],
        pairs=[
            report(
                layout.figure("{family}", pair_name(pair)),
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"learner": pair_name(pair), "split": "{family}"},
            )
            for pair in learning_curve_pairs()
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
        results=results_folder,
        monitors={learner: monitor_of(learner) for learner in networks()},
        pairs=learning_curve_pairs(),
        note=note(),
        code=code("learning_curves.py"),
    message:
        "Draw the learning curves on {wildcards.family}"
    script:
        "../scripts/learning_curves.py"
