from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import shards

    print(shards.join(list(snakemake.input), snakemake.output[0]), "columns")
