rule classify:
    """Choose a classifier's parameters by cross-validation on training, fit it, and predict."""
    input:
        matrix=f"{RESULTS}/features/{{features}}.h5",
        tracks=f"{RESULTS}/corpus/tracks.csv",
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
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
    threads: 2
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
        note=note(),
        code=code("classify_table.py"),
    message:
        "Compare the classifiers"
    script:
        "../scripts/classify_table.py"
