rule cnn:
    """Train a variant of the CNN on a split, and predict the split's tracks."""
    input:
        images=f"{RESULTS}/spectrograms.h5",
        shards=spectrogram_shards,
        copies=copies_of_variant,
        copied_shards=copied_shards_of_variant,
        weights=weights_of_variant,
        network=network_of_variant,
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
        winner=winner_of_variant,
    output:
        model=f"{RESULTS}/{{split}}/cnn/{{variant}}/seed-{{seed}}/model.keras",
        history=f"{RESULTS}/{{split}}/cnn/{{variant}}/seed-{{seed}}/history.csv",
        predictions=f"{RESULTS}/{{split}}/cnn/{{variant}}/seed-{{seed}}/predictions.csv",
    log:
        f"{RESULTS}/logs/cnn/{{split}}/{{variant}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cnn/{{split}}/{{variant}}/seed-{{seed}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: config["cnn"]["threads"]
    resources:
        mem_mb=4000 + config["cnn"]["memory_mb"],
        runtime=1440,
        images_mb=config["cnn"]["memory_mb"],
    params:
        variant=variant_settings,
        fit=fit_settings,
        code=code("cnn.py"),
    message:
        "Train cnn/{wildcards.variant} on {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/cnn.py"


rule cnn_search:
    """Search the hyper-parameters of a variant of the CNN on a split, by Hyperband."""
    input:
        images=f"{RESULTS}/spectrograms.h5",
        shards=spectrogram_shards,
        copies=copies_of_variant,
        copied_shards=copied_shards_of_variant,
        weights=weights_of_variant,
        network=network_of_variant,
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
    output:
        trials=f"{RESULTS}/{{split}}/cnn/{{variant}}/search/trials.csv",
        winner=f"{RESULTS}/{{split}}/cnn/{{variant}}/search/winner.yaml",
    log:
        f"{RESULTS}/logs/cnn_search/{{split}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cnn_search/{{split}}/{{variant}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: config["cnn"]["threads"]
    resources:
        mem_mb=4000 * config["cnn"]["search"]["workers"] + config["cnn"]["memory_mb"],
        runtime=2880,
        images_mb=config["cnn"]["memory_mb"],
        trials=config["cnn"]["search"]["workers"],
    params:
        variant=searched_settings,
        search=search_settings,
        fit=trial_settings,
        code=code("cnn_search.py"),
    message:
        "Search for cnn/{wildcards.variant} on {wildcards.split}"
    script:
        "../scripts/cnn_search.py"


rule search_figures:
    """Draw the trials of each search, and how the score depends on each hyper-parameter."""
    input:
        [
            f"{RESULTS}/{split}/cnn/{variant}/search/trials.csv"
            for split, variant in searches()
        ],
    output:
        [
            report(
                f"{RESULTS}/figures/{split}/cnn/{variant}/search.svg",
                caption="../report/search.rst",
                category="Searches",
                labels={"learner": f"cnn/{variant}", "split": split},
            )
            for split, variant in searches()
        ],
    log:
        f"{RESULTS}/logs/search_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/search_figures.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=[f"Search for cnn/{variant}, {split}" for split, variant in searches()],
        objective=config["cnn"]["search"]["objective"],
        note=note(),
        code=code("search_figures.py"),
    message:
        "Draw the searches"
    script:
        "../scripts/search_figures.py"
