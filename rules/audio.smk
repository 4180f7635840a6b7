# One job per track, so whatever a job costs is paid thousands of times: no Python, `shell` instead
# of `script`, no message (benchmarks/scale.py).


rule wav:
    """Resample a clip to a 16-bit mono WAV; without samples if it can't be decoded."""
    input:
        source=STAGES.source,
    output:
        layout.wav("{track}"),
    log:
        layout.log("wav", "{track}"),
    benchmark:
        layout.benchmark("wav", "{track}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    # On clusters some hundred clips are one job, Snakemake and all: clips=2 makes two at once.
    resources:
        mem_mb=500,
        runtime=1,
        clips=1,
    params:
        settings=STAGES.wav,
        code=code("genreflow/audio/wav.sh"),
    shell:
        'bash "$GENREFLOW_SCRIPTS/genreflow/audio/wav.sh" {input:q} {output:q} {params.settings} 2> {log:q}'
