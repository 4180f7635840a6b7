from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import network_shards

    print(network_shards.join_cuts(list(snakemake.input), snakemake.output[0]), "columns")
