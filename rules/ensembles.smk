ENSEMBLE = layout.fitted("{split}", "ensemble/{ensemble}")


rule ensemble:
    """Combine the probabilities of several learners on a split."""
    input:
        predictions=STAGES.members,
        tracks=layout.tracks,
    output:
        combiner=ENSEMBLE.model(COMBINER),
        predictions=ENSEMBLE.predictions,
    log:
        layout.log("ensemble", "{split}", "{ensemble}"),
    benchmark:
        layout.benchmark("ensemble", "{split}", "{ensemble}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        results=STAGES.results,
        how=STAGES.how,
        seed=config["seed"],
        code=code("ensemble.py"),
    message:
        "Combine the members of ensemble/{wildcards.ensemble} on {wildcards.split}"
    script:
        "../scripts/ensemble.py"
