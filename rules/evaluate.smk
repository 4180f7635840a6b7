rule inference:
    """Time the prediction of single clips by each learner, with the machine to itself."""
    input:
        predictions=predictions_to_time,
        models=models_to_time,
        features=features_to_time,
        images=f"{RESULTS}/spectrograms.h5",
        tracks=f"{RESULTS}/corpus/tracks.csv",
        split=f"{RESULTS}/corpus/splits/{SPLITS[0]}.csv",
    output:
        csv=f"{RESULTS}/tables/inference.csv",
        markdown=f"{RESULTS}/tables/inference.md",
    log:
        f"{RESULTS}/logs/inference.log",
    benchmark:
        f"{RESULTS}/benchmarks/inference.tsv"
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
            f"{RESULTS}/tables/comparison.csv",
            caption="../report/ranking.rst",
            category="Ranking",
            labels={"table": "comparison"},
        ),
        markdown=f"{RESULTS}/tables/comparison.md",
        tests=report(
            f"{RESULTS}/tables/significance.csv",
            caption="../report/ranking.rst",
            category="Ranking",
            labels={"table": "McNemar's tests"},
        ),
        tests_markdown=f"{RESULTS}/tables/significance.md",
        genres=f"{RESULTS}/tables/genres.csv",
        calibration=f"{RESULTS}/tables/calibration.csv",
        summary=f"{RESULTS}/tables/summary.txt",
    log:
        f"{RESULTS}/logs/tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables.tsv"
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
        f"{RESULTS}/tables/comparison.csv",
    output:
        report(
            f"{RESULTS}/figures/accuracy.svg",
            caption="../report/ranking.rst",
            category="Ranking",
            labels={"figure": "accuracy"},
        ),
    log:
        f"{RESULTS}/logs/accuracy_figure.log",
    benchmark:
        f"{RESULTS}/benchmarks/accuracy_figure.tsv"
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
        f"{RESULTS}/tables/calibration.csv",
    output:
        report(
            f"{RESULTS}/figures/{{family}}/calibration.svg",
            caption="../report/calibration.rst",
            category="Ranking",
            labels={"figure": "calibration", "split": "{family}"},
        ),
    log:
        f"{RESULTS}/logs/calibration_figure/{{family}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibration_figure/{{family}}.tsv"
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
                f"{RESULTS}/figures/{{family}}/{learner}/confusion_matrix.svg",
                caption="../report/confusion.rst",
                category="Confusion matrices",
                labels={"learner": learner, "split": "{family}"},
            )
            for learner in learners()
        ],
        counts=[
            f"{RESULTS}/figures/{{family}}/{learner}/confusion_matrix.csv"
            for learner in learners()
        ],
    log:
        f"{RESULTS}/logs/confusion_matrices/{{family}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/confusion_matrices/{{family}}.tsv"
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
                f"{RESULTS}/figures/{{family}}/{learner}/learning_curves.svg",
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"learner": learner, "split": "{family}"},
            )
            for learner in networks()
        ],
        pairs=[
            report(
                f"{RESULTS}/figures/{{family}}/{pair_name(pair)}.svg",
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"learner": pair_name(pair), "split": "{family}"},
            )
            for pair in learning_curve_pairs()
        ],
    log:
        f"{RESULTS}/logs/learning_curves/{{family}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/learning_curves/{{family}}.tsv"
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
