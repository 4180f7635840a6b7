rule pca:
    """Find the principal components of a split's training tracks: once for all shares."""
    input:
        matrix=f"{RESULTS}/features/{{features}}.h5",
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
    output:
        f"{RESULTS}/{{split}}/classify/{{features}}/pca.h5",
    log:
        f"{RESULTS}/logs/pca/{{split}}/{{features}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pca/{{split}}/{{features}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: config["classify"]["threads"]
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        shares=pca_shares,
        fit_on=config["classify"]["fit_on"],
        code=code("pca.py"),
    message:
        "Find the principal components of {wildcards.features} on {wildcards.split}"
    script:
        "../scripts/pca.py"


rule classify:
    """Choose a classifier's parameters by cross-validation on training, fit it, and predict."""
    input:
        matrix=f"{RESULTS}/features/{{features}}.h5",
        tracks=f"{RESULTS}/corpus/tracks.csv",
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
        pca=pca_of_classifier,
    output:
        model=f"{RESULTS}/{{split}}/classify/{{features}}/{{pca}}/{{classifier}}/model.skops",
        search=f"{RESULTS}/{{split}}/classify/{{features}}/{{pca}}/{{classifier}}/search.csv",
        best=f"{RESULTS}/{{split}}/classify/{{features}}/{{pca}}/{{classifier}}/best.json",
        predictions=f"{RESULTS}/{{split}}/classify/{{features}}/{{pca}}/{{classifier}}/predictions.csv",
    log:
        f"{RESULTS}/logs/classify/{{split}}/{{features}}/{{pca}}/{{classifier}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/classify/{{split}}/{{features}}/{{pca}}/{{classifier}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: config["classify"]["threads"]
    resources:
        mem_mb=6000,
        runtime=1440,
    params:
        classify=classify_settings,
        code=code("classify.py"),
    message:
        "Fit classify/{wildcards.features}/{wildcards.pca}/{wildcards.classifier} on {wildcards.split}"
    script:
        "../scripts/classify.py"


rule classify_table:
    """List each classifier's dimensions, best parameters, cross-validated and test accuracy."""
    input:
        classify_results,
    output:
        csv=f"{RESULTS}/tables/classify.csv",
        markdown=f"{RESULTS}/tables/classify.md",
    log:
        f"{RESULTS}/logs/classify_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/classify_table.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=results_folder,
        fma_small=is_fma_small(),
        marks=marks(),
        note=notes(),
        code=code("classify_table.py"),
    message:
        "Compare the classifiers"
    script:
        "../scripts/classify_table.py"


rule explained_variance:
    """Draw how much of the variance the components of each feature matrix explain."""
    input:
        decompositions_of_family,
    output:
        report(
            f"{RESULTS}/figures/{{family}}/explained_variance.svg",
            caption="../report/variance.rst",
            category="Features",
            labels={"figure": "explained variance", "split": "{family}"},
        ),
    log:
        f"{RESULTS}/logs/explained_variance/{{family}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/explained_variance/{{family}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        shares=shares_of_decompositions(),
        split=first_split_of,
        marks=marks(),
        note=notes(),
        code=code("explained_variance.py"),
    message:
        "Draw the explained variances on {wildcards.family}"
    script:
        "../scripts/explained_variance.py"
