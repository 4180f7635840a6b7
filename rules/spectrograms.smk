rule clip_length:
    """Find how long images are to be, and how many clips are shorter."""
    input:
        STAGES.audits,
    output:
        layout.clip_length,
    log:
        layout.log("clip_length"),
    benchmark:
        layout.benchmark("clip_length")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        audio=STAGES.audio,
        fit=STAGES.is_length_found,
        code=code("clip_length.py"),
    message:
        "Find how long clips are"
    script:
        "../scripts/clip_length.py"


rule spectrogram_shard:
    """Make the log-mel images of a shard's tracks."""
    input:
        wavs=STAGES.wavs_of_shard,
        length=STAGES.length_of_images,
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
        audio=STAGES.audio,
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
