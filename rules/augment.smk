rule augmented_shard:
    """Make masked copies of a shard's training images (SpecAugment)."""
    input:
        shard=layout.spectrogram_shard("{shard}"),
        split=layout.split("{split}"),
    output:
        layout.augmented_shard("{split}", "{shard}"),
    log:
        layout.log("augmented_shard", "{split}", "{shard}"),
    benchmark:
        layout.benchmark("augmented_shard", "{split}", "{shard}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        augment=STAGES.masked_copies,
        code=code("augmented_shard.py"),
    message:
        "Make masked copies of shard {wildcards.shard} for {wildcards.split}"
    script:
        "../scripts/augmented_shard.py"


use rule spectrograms as augmented with:
    """Join the shards of masked copies into one virtual dataset."""
    input:
        STAGES.masked_shards,
    output:
        layout.augmented("{split}"),
    log:
        layout.log("augmented", "{split}"),
    benchmark:
        layout.benchmark("augmented", "{split}")
    message:
        "Join the masked copies for {wildcards.split}"


rule copies_gallery:
    """Show masked copies beside their originals."""
    input:
        images=layout.spectrograms,
        shards=STAGES.spectrogram_shards,
        copies=STAGES.masked_shards,
    output:
        report(
            layout.figure("{split}", "masked_copies"),
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "masked copies"},
        ),
    log:
        layout.log("copies_gallery", "{split}"),
    benchmark:
        layout.benchmark("copies_gallery", "{split}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        seed=config["seed"],
        note=PLAN.note,
        code=code("copies_gallery.py"),
    message:
        "Draw masked copies for {wildcards.split}"
    script:
        "../scripts/copies_gallery.py"


rule online_gallery:
    """Show how images are augmented while a network trains."""
    input:
        images=layout.spectrograms,
        shards=STAGES.spectrogram_shards,
        split=layout.split("{split}"),
    output:
        report(
            layout.figure("{split}", "online_augmentation"),
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "augmentation while training"},
        ),
    log:
        layout.log("online_gallery", "{split}"),
    benchmark:
        layout.benchmark("online_gallery", "{split}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        online=STAGES.augmentation,
        seed=config["seed"],
        note=PLAN.note,
        code=code("online_gallery.py"),
    message:
        "Draw augmented images for {wildcards.split}"
    script:
        "../scripts/online_gallery.py"
