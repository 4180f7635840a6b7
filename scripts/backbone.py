from genreflow.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow import backend, transfer

    wildcards, input, settings = snakemake.wildcards, snakemake.input, snakemake.params.backbone
    backend.configure(threads=snakemake.threads, seed=settings["seed"])
    prepared = transfer.prepare(
        snakemake.output[0],
        input.shards,
        weights_file=input.weights or None,
        threads=snakemake.threads,
        **settings,
    )
    say(f"{wildcards.backbone}: {prepared.engine} in {prepared.precision}")
