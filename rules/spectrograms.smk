rule spectrogram_shard:
    """Make the log-mel images of a shard's tracks."""
    input:
        wavs=STAGES.wavs_of_shard,
    output:
        layout.spectrogram_shard("{shard}"),
    log:
        layout.log("spectrogram_shard", "{shard}"),
    benchmark:
        layout.benchmark("spectrogram_shard", "{shard}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        tracks=STAGES.ids_of_shard,
        genres=STAGES.genres_of_shard,
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
        STAGES.spectrogram_shards,
    output:
        layout.spectrograms,
    log:
        layout.log("spectrograms"),
    benchmark:
        layout.benchmark("spectrograms")
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
    """Show some clips of each genre, and how much they differ."""
    input:
        images=layout.spectrograms,
        shards=STAGES.spectrogram_shards,
    output:
        report(
            layout.figure("genres"),
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "clips of each genre"},
        ),
    log:
        layout.log("genre_gallery"),
    benchmark:
        layout.benchmark("genre_gallery")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        seed=config["seed"],
        note=PLAN.note,
        code=code("genre_gallery.py"),
    message:
        "Draw clips of each genre"
    script:
        "../scripts/genre_gallery.py"
