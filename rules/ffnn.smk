rule ffnn:
    """Train a feed-forward network on a split, and predict the split's tracks."""
    input:
        matrix=f"{RESULTS}/features/handcrafted.h5",
        tracks=f"{RESULTS}/corpus/tracks.csv",
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
    output:
        model=f"{RESULTS}/{{split}}/ffnn/{{units}}/seed-{{seed}}/model.keras",
        history=f"{RESULTS}/{{split}}/ffnn/{{units}}/seed-{{seed}}/history.csv",
        scores=f"{RESULTS}/{{split}}/ffnn/{{units}}/seed-{{seed}}/scores.csv",
        predictions=f"{RESULTS}/{{split}}/ffnn/{{units}}/seed-{{seed}}/predictions.csv",
    log:
        f"{RESULTS}/logs/ffnn/{{split}}/{{units}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/ffnn/{{split}}/{{units}}/seed-{{seed}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        fit=ffnn_settings(),
        code=code("ffnn.py"),
    message:
        "Train ffnn/{wildcards.units} on {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/ffnn.py"


rule ffnn_table:
    """Compare the feed-forward networks by loss and accuracy, as the study's tables 1 and 2."""
    input:
        ffnn_scores,
    output:
        csv=f"{RESULTS}/tables/ffnn.csv",
        markdown=f"{RESULTS}/tables/ffnn.md",
    log:
        f"{RESULTS}/logs/ffnn_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/ffnn_table.tsv"
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
        code=code("ffnn_table.py"),
    message:
        "Compare the feed-forward networks"
    script:
        "../scripts/ffnn_table.py"
