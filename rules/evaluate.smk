rule tables:
    """Compare all learners on all splits, from their predictions alone."""
    input:
        predictions=predictions,
    output:
        comparison=f"{RESULTS}/tables/comparison.csv",
        markdown=f"{RESULTS}/tables/comparison.md",
        genres=f"{RESULTS}/tables/genres.csv",
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
        note=note(),
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
        f"{RESULTS}/figures/accuracy.svg",
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
        note=note(),
        code=code("accuracy_figure.py"),
    message:
        "Draw the accuracies"
    script:
        "../scripts/accuracy_figure.py"


rule confusion_matrix:
    """Draw which genres a learner takes for which, on the test part of a split."""
    input:
        predictions_of,
    output:
        figure=f"{RESULTS}/figures/{{family}}/{{learner}}/confusion_matrix.svg",
        counts=f"{RESULTS}/figures/{{family}}/{{learner}}/confusion_matrix.csv",
    log:
        f"{RESULTS}/logs/confusion_matrix/{{family}}/{{learner}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/confusion_matrix/{{family}}/{{learner}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=results_folder,
        note=note(),
        code=code("confusion_matrix.py"),
    message:
        "Draw the confusion matrix of {wildcards.learner} on {wildcards.family}"
    script:
        "../scripts/confusion_matrix.py"


rule learning_curves:
    """Draw loss and accuracy over the epochs, all seeds and folds in one figure."""
    input:
        histories_of,
    output:
        f"{RESULTS}/figures/{{family}}/{{learner}}/learning_curves.svg",
    log:
        f"{RESULTS}/logs/learning_curves/{{family}}/{{learner}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/learning_curves/{{family}}/{{learner}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        monitor=config["cnn"]["monitor"],
        note=note(),
        code=code("learning_curves.py"),
    message:
        "Draw the learning curves of {wildcards.learner} on {wildcards.family}"
    script:
        "../scripts/learning_curves.py"
