from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import handcrafted_shards

    print(
        handcrafted_shards.gather(list(snakemake.input), **dict(snakemake.output.items())), "tracks"
    )
