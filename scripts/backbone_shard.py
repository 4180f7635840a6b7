from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import network_shards

    if network_shards.uses_keras(snakemake.input.network):
        from genreflow.features import backend

        backend.configure(threads=snakemake.threads, seed=0)
    found = network_shards.extract_shard(
        snakemake.output[0],
        snakemake.input.shard,
        snakemake.input.network,
        dtype=snakemake.params.dtype,
        threads=snakemake.threads,
    )
    print(f"{found} tracks")
