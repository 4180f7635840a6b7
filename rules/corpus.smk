rule fetch:
    """Download what is missing: weights of networks first, then FMA, which is checked and unpacked."""
    log:
        layout.log("fetch"),
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
        layout.demo_metadata,
    log:
        layout.log("demo_metadata"),
    benchmark:
        layout.benchmark("demo_metadata")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        demo=STAGES.demo,
        source=lambda wildcards: layout.source,
        code=code("demo_metadata.py"),
    message:
        "Write the metadata of the demo corpus"
    script:
        "../scripts/demo_metadata.py"


if config["corpus"]["kind"] == "demo":

    rule demo_clips:
        """Make the music of the demo corpus."""
        output:
            STAGES.demo_clips,
        log:
            layout.log("demo_clips"),
        benchmark:
            layout.benchmark("demo_clips")
        conda:
            "../envs/genreflow.yaml"
        threads: 8
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            demo=STAGES.demo,
            source=lambda wildcards: layout.source,
            code=code("demo_clips.py"),
        message:
            "Make the music of the demo corpus"
        script:
            "../scripts/demo_clips.py"


rule audit:
    """Find the clips of a shard that can't be used: unreadable, too short, silent."""
    input:
        wavs=STAGES.wavs_of_shard,
    output:
        layout.audit("{shard}"),
    log:
        layout.log("audit", "{shard}"),
    benchmark:
        layout.benchmark("audit", "{shard}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=30,
    params:
        tracks=STAGES.ids_of_shard,
        sources=STAGES.sources_of_shard,
        results=STAGES.results,
        audit=STAGES.audit,
        code=code("audit.py"),
    message:
        "Audit the audio of shard {wildcards.shard}"
    script:
        "../scripts/audit.py"


rule manifest:
    """List the tracks that are used, and those that are left out with the reason."""
    input:
        audits=STAGES.audits,
        listing=layout.listing,
    output:
        tracks=layout.tracks,
        excluded=layout.excluded,
        summary=layout.summary,
    log:
        layout.log("manifest"),
    benchmark:
        layout.benchmark("manifest")
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
        layout.tracks,
    output:
        layout.split("{split}"),
    log:
        layout.log("split", "{split}"),
    benchmark:
        layout.benchmark("split", "{split}")
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
