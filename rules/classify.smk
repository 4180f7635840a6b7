FITTED = layout.fitted("{split}", "classify/{features}/{pca}/{classifier}")


rule pca:
    """Find the principal components of features on a split, once for all shares of variance."""
    input:
        matrix=layout.features("{features}"),
        split=layout.split("{split}"),
    output:
        layout.pca("{split}", "{features}"),
    log:
        layout.log("pca", "{split}", "{features}"),
    benchmark:
        layout.benchmark("pca", "{split}", "{features}")
    conda:
        "../envs/genreflow.yaml"
    threads: config["classify"]["threads"]
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        shares=STAGES.shares,
        fit_on=config["classify"]["fit_on"],
        code=code("pca.py"),
    message:
        "Find the principal components of {wildcards.features} on {wildcards.split}"
    script:
        "../scripts/pca.py"


rule classify:
    """Choose a classifier's parameters by cross-validation, fit it, and predict the split's tracks."""
    input:
        matrix=layout.features("{features}"),
        tracks=layout.tracks,
        split=layout.split("{split}"),
        pca=STAGES.pca,
    output:
        model=FITTED.model(CLASSIFIER),
        search=FITTED.search,
        best=FITTED.best,
        predictions=FITTED.predictions,
    log:
        layout.log("classify", "{split}", "{features}", "{pca}", "{classifier}"),
    benchmark:
        layout.benchmark("classify", "{split}", "{features}", "{pca}", "{classifier}")
    conda:
        "../envs/genreflow.yaml"
    threads: config["classify"]["threads"]
    resources:
        mem_mb=STAGES.classifier_memory,
        runtime=1440,
    params:
        classify=STAGES.classifier,
        code=lambda wildcards: code(
            "classify.py", estimators.path_of(wildcards.classifier)
        ),
    message:
        "Fit classify/{wildcards.features}/{wildcards.pca}/{wildcards.classifier} on {wildcards.split}"
    script:
        "../scripts/classify.py"


rule classify_table:
    """Compare the classifiers: dimensions, best parameters, cross-validated and test accuracy."""
    input:
        STAGES.fits,
    output:
        csv=layout.table("classify"),
        markdown=layout.table("classify", "md"),
    log:
        layout.log("classify_table"),
    benchmark:
        layout.benchmark("classify_table")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=STAGES.results,
        fma_small=PLAN.is_fma_small,
        marks=PLAN.marks,
        note=PLAN.notes,
        code=code("classify_table.py"),
    message:
        "Compare the classifiers"
    script:
        "../scripts/classify_table.py"


rule explained_variance:
    """Draw how much variance the first components of each feature matrix explain."""
    input:
        STAGES.decompositions,
    output:
        report(
            layout.figure("{family}", "explained_variance"),
            caption="../report/variance.rst",
            category="Features",
            labels={"figure": "explained variance", "split": "{family}"},
        ),
    log:
        layout.log("explained_variance", "{family}"),
    benchmark:
        layout.benchmark("explained_variance", "{family}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        shares=PLAN.pca_shares,
        split=STAGES.first_split,
        titles=PLAN.matrix_titles,
        note=PLAN.note,
        code=code("explained_variance.py"),
    message:
        "Draw the explained variance on {wildcards.family}"
    script:
        "../scripts/explained_variance.py"
