from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow import transfer

    if transfer.uses_keras(snakemake.input.network):
        from genreflow import backend

        backend.configure(threads=snakemake.threads, seed=0)
    found = transfer.extract_shard(
        snakemake.output[0],
        snakemake.input.shard,
        snakemake.input.network,
        dtype=snakemake.params.dtype,
        threads=snakemake.threads,
    )
    print(f"{found} tracks")
