rule fetch:
    """Download what is missing: weights of networks first, then FMA, which is checked and unpacked."""
    log:
        f"{RESULTS}/logs/fetch.log",
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        weights=plan.downloads(config),
        kind=config["corpus"]["kind"],
        folder=config["corpus"]["audio"],
        subset=config["corpus"]["subset"],
        url=config["corpus"]["url"],
    script:
        "../scripts/fetch.py"


rule demo_metadata:
    """Write the metadata of the demo corpus, in FMA's format."""
    output:
        f"{RESULTS}/source/fma_metadata/tracks.csv",
    log:
        f"{RESULTS}/logs/demo_metadata.log",
    benchmark:
        f"{RESULTS}/benchmarks/demo_metadata.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        demo=demo_settings(),
        source=demo_source,
        code=code("demo_metadata.py"),
    message:
        "Write the metadata of the demo corpus"
    script:
        "../scripts/demo_metadata.py"


if config["corpus"]["kind"] == "demo":

    rule demo_clips:
        """Make the music of the demo corpus."""
        output:
            demo_clips(),
        log:
            f"{RESULTS}/logs/demo_clips.log",
        benchmark:
            f"{RESULTS}/benchmarks/demo_clips.tsv"
        conda:
            "../envs/genreflow.yaml"
        threads: 8
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            demo=demo_settings(),
            source=demo_source,
            code=code("demo_clips.py"),
        message:
            "Make the music of the demo corpus"
        script:
            "../scripts/demo_clips.py"


rule audit:
    """Find the clips of a shard that can't be used: unreadable, too short, silent."""
    input:
        wavs=wavs_of_shard,
    output:
        f"{RESULTS}/corpus/audit/{{shard}}.csv",
    log:
        f"{RESULTS}/logs/audit/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit/{{shard}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=30,
    params:
        tracks=ids_of_shard,
        logs=f"{RESULTS}/logs/wav",
        audit=audit_settings(),
        code=code("audit.py"),
    message:
        "Audit the audio of shard {wildcards.shard}"
    script:
        "../scripts/audit.py"


rule manifest:
    """List the tracks to be used, and those left out with the reason."""
    input:
        audits=audits,
        listing=LISTING,
    output:
        tracks=f"{RESULTS}/corpus/tracks.csv",
        excluded=f"{RESULTS}/corpus/excluded.csv",
        summary=f"{RESULTS}/corpus/summary.json",
    log:
        f"{RESULTS}/logs/manifest.log",
    benchmark:
        f"{RESULTS}/benchmarks/manifest.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        max_excluded=config["corpus"]["max_excluded"],
        code=code("manifest.py"),
    message:
        "List the tracks that can be used"
    script:
        "../scripts/manifest.py"


rule split:
    """Divide the tracks into training, validation and test."""
    input:
        f"{RESULTS}/corpus/tracks.csv",
    output:
        f"{RESULTS}/corpus/splits/{{split}}.csv",
    log:
        f"{RESULTS}/logs/split/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split/{{split}}.tsv"
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        shares=config["split"],
        seed=config["seed"],
        code=code("split.py"),
    message:
        "Make the split {wildcards.split}"
    script:
        "../scripts/split.py"
