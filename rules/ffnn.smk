FFNN = layout.fitted("{split}", "ffnn/{units}", "{seed}")


rule ffnn:
    """Train a feed-forward network on a split, and predict the split's tracks."""
    input:
        matrix=STAGES.features_of_network,
        tracks=layout.tracks,
        split=layout.split("{split}"),
    output:
        model=FFNN.model(NETWORK),
        history=FFNN.history,
        scores=FFNN.scores,
        predictions=FFNN.predictions,
    log:
        layout.log("ffnn", "{split}", "{units}", "seed-{seed}"),
    benchmark:
        layout.benchmark("ffnn", "{split}", "{units}", "seed-{seed}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        fit=STAGES.feed_forward,
        code=code("ffnn.py"),
    message:
        "Train ffnn/{wildcards.units} on {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/ffnn.py"


rule ffnn_table:
    """Compare the feed-forward networks by loss and accuracy, as tables 1 and 2 of the study do."""
    input:
        STAGES.scores,
    output:
        csv=layout.table("ffnn"),
        markdown=layout.table("ffnn", "md"),
    log:
        layout.log("ffnn_table"),
    benchmark:
        layout.benchmark("ffnn_table")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=STAGES.results,
        fma_small=PLAN.is_fma_small,
        note=PLAN.note,
        code=code("ffnn_table.py"),
    message:
        "Compare the feed-forward networks"
    script:
        "../scripts/ffnn_table.py"
