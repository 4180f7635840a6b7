CNN = layout.fitted("{split}", "cnn/{variant}", "{seed}")


rule cnn:
    """Train a variant of the CNN on a split, and predict the split's tracks."""
    input:
        images=layout.spectrograms,
        shards=STAGES.spectrogram_shards,
        copies=STAGES.copies,
        copied_shards=STAGES.copied_shards,
        weights=STAGES.weights,
        network=STAGES.pretrained,
        split=layout.split("{split}"),
        winner=STAGES.winner,
    output:
        model=CNN.model(NETWORK),
        history=CNN.history,
        predictions=CNN.predictions,
    log:
        layout.log("cnn", "{split}", "{variant}", "seed-{seed}"),
    benchmark:
        layout.benchmark("cnn", "{split}", "{variant}", "seed-{seed}")
    conda:
        "../envs/genreflow.yaml"
    threads: config["cnn"]["threads"]
    resources:
        mem_mb=4000 + config["cnn"]["memory_mb"],
        runtime=1440,
        images_mb=config["cnn"]["memory_mb"],
    params:
        variant=STAGES.variant,
        fit=STAGES.training,
        code=code("cnn.py"),
    message:
        "Train cnn/{wildcards.variant} on {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/cnn.py"


rule cnn_search:
    """Search for the best hyper-parameters of a variant of the CNN on a split, by Hyperband."""
    input:
        images=layout.spectrograms,
        shards=STAGES.spectrogram_shards,
        copies=STAGES.copies,
        copied_shards=STAGES.copied_shards,
        weights=STAGES.weights,
        network=STAGES.pretrained,
        split=layout.split("{split}"),
    output:
        trials=layout.trials("{split}", "cnn/{variant}"),
        winner=layout.winner("{split}", "cnn/{variant}"),
    log:
        layout.log("cnn_search", "{split}", "{variant}"),
    benchmark:
        layout.benchmark("cnn_search", "{split}", "{variant}")
    conda:
        "../envs/genreflow.yaml"
    threads: config["cnn"]["threads"]
    resources:
        mem_mb=4000 * config["cnn"]["search"]["workers"] + config["cnn"]["memory_mb"],
        runtime=2880,
        images_mb=config["cnn"]["memory_mb"],
        trials=config["cnn"]["search"]["workers"],
    params:
        variant=STAGES.searched_variant,
        search=STAGES.search,
        fit=STAGES.trial,
        code=code("cnn_search.py"),
    message:
        "Search for cnn/{wildcards.variant} on {wildcards.split}"
    script:
        "../scripts/cnn_search.py"


rule search_figures:
    """Draw the trials of each search, and how the score depends on each hyper-parameter."""
    input:
        [layout.trials(split, f"cnn/{variant}") for split, variant in PLAN.searches],
    output:
        [
            report(
                layout.figure(split, "cnn", variant, "search"),
                caption="../report/search.rst",
                category="Searches",
                labels={"learner": f"cnn/{variant}", "split": split},
            )
            for split, variant in PLAN.searches
        ],
    log:
        layout.log("search_figures"),
    benchmark:
        layout.benchmark("search_figures")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=[
            f"Search for {PLAN.learners[f'cnn/{variant}'].title}, {split}"
            for split, variant in PLAN.searches
        ],
        objective=config["cnn"]["search"]["objective"],
        note=PLAN.note,
        code=code("search_figures.py"),
    message:
        "Draw the searches"
    script:
        "../scripts/search_figures.py"
