rule augmented_shard:
    """Make masked copies of the images of a shard's training tracks (SpecAugment)."""
    input:
        shard=f"{RESULTS}/spectrograms/{{shard}}.h5",
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
    output:
        f"{RESULTS}/{{split}}/augmented/{{shard}}.h5",
    log:
        f"{RESULTS}/logs/augmented_shard/{{split}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/augmented_shard/{{split}}/{{shard}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        augment=copies_settings(),
        code=code("augmented_shard.py"),
    message:
        "Mask copies of shard {wildcards.shard}, {wildcards.split}"
    script:
        "../scripts/augmented_shard.py"


rule augmented:
    """Join the shards of masked copies into one virtual dataset."""
    input:
        augmented_shards,
    output:
        f"{RESULTS}/{{split}}/augmented.h5",
    log:
        f"{RESULTS}/logs/augmented/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/augmented/{{split}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("spectrograms.py"),
    message:
        "Join the masked copies, {wildcards.split}"
    script:
        "../scripts/spectrograms.py"


rule copies_gallery:
    """Show masked copies beside their originals."""
    input:
        images=f"{RESULTS}/spectrograms.h5",
        shards=spectrogram_shards,
        copies=augmented_shards,
    output:
        report(
            f"{RESULTS}/figures/{{split}}/masked_copies.svg",
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "masked copies"},
        ),
    log:
        f"{RESULTS}/logs/copies_gallery/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/copies_gallery/{{split}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        seed=config["seed"],
        note=note(),
        code=code("copies_gallery.py"),
    message:
        "Draw masked copies, {wildcards.split}"
    script:
        "../scripts/copies_gallery.py"


rule online_gallery:
    """Show what augmentation while training makes of images."""
    input:
        images=f"{RESULTS}/spectrograms.h5",
        shards=spectrogram_shards,
        split=f"{RESULTS}/corpus/splits/{{split}}.csv",
    output:
        report(
            f"{RESULTS}/figures/{{split}}/online_augmentation.svg",
            caption="../report/images.rst",
            category="Images",
            labels={"figure": "augmentation while training"},
        ),
    log:
        f"{RESULTS}/logs/online_gallery/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/online_gallery/{{split}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        online=online_settings(),
        seed=config["seed"],
        note=note(),
        code=code("online_gallery.py"),
    message:
        "Draw augmented images, {wildcards.split}"
    script:
        "../scripts/online_gallery.py"
