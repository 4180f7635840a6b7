rule spectrogram_shard:
    """Make the log-mel images of a shard's tracks."""
    input:
        wavs=wavs_of_shard,
    output:
        f"{RESULTS}/spectrograms/{{shard}}.h5",
    log:
        f"{RESULTS}/logs/spectrogram_shard/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/spectrogram_shard/{{shard}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        tracks=ids_of_shard,
        genres=genres_of_shard,
        audio=config["audio"],
        spectrogram=config["spectrogram"],
        code=code("spectrogram_shard.py"),
    message:
        "Make the spectrograms of shard {wildcards.shard}"
    script:
        "../scripts/spectrogram_shard.py"


rule spectrograms:
    """Join the shards of log-mel images into one virtual dataset."""
    input:
        spectrogram_shards,
    output:
        f"{RESULTS}/spectrograms.h5",
    log:
        f"{RESULTS}/logs/spectrograms.log",
    benchmark:
        f"{RESULTS}/benchmarks/spectrograms.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("spectrograms.py"),
    message:
        "Join the spectrograms"
    script:
        "../scripts/spectrograms.py"


rule genre_gallery:
    """Show clips of each genre: how much they differ within it."""
    input:
        images=f"{RESULTS}/spectrograms.h5",
        shards=spectrogram_shards,
    output:
        report(
            f"{RESULTS}/figures/genres.svg",
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "clips of each genre"},
        ),
    log:
        f"{RESULTS}/logs/genre_gallery.log",
    benchmark:
        f"{RESULTS}/benchmarks/genre_gallery.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        seed=config["seed"],
        note=note(),
        code=code("genre_gallery.py"),
    message:
        "Draw clips of each genre"
    script:
        "../scripts/genre_gallery.py"
