rule cnn:
    """Train a variant of the CNN on a split, and predict the split's tracks."""
    input:
        images=f"{RESULTS}/spectrograms.h5",
        shards=spectrogram_shards,
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
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
    threads: 8
    resources:
        mem_mb=4000 + config["cnn"]["memory_mb"],
        runtime=1440,
        images_mb=config["cnn"]["memory_mb"],
    params:
        variant=variant_settings,
        fit=fit_settings(),
        code=code("cnn.py"),
    message:
        "Train cnn/{wildcards.variant} on {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/cnn.py"
