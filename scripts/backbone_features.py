from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import network_shards

    found = network_shards.gather(
        list(snakemake.input), {snakemake.wildcards.cut: snakemake.output[0]}
    )
    print(f"{found} tracks")
