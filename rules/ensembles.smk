rule ensemble:
    """Combine the probabilities of several learners on a split."""
    input:
        predictions=members_of_ensemble,
        tracks=f"{RESULTS}/corpus/tracks.csv",
    output:
        combiner=f"{RESULTS}/{{split}}/ensemble/{{ensemble}}/combiner.skops",
        predictions=f"{RESULTS}/{{split}}/ensemble/{{ensemble}}/predictions.csv",
    log:
        f"{RESULTS}/logs/ensemble/{{split}}/{{ensemble}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/ensemble/{{split}}/{{ensemble}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        results=results_folder,
        how=how_of_ensemble,
        seed=config["seed"],
        code=code("ensemble.py"),
    message:
        "Combine ensemble/{wildcards.ensemble} on {wildcards.split}"
    script:
        "../scripts/ensemble.py"
