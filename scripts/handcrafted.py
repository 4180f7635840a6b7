from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow import features

    print(features.gather(list(snakemake.input), **dict(snakemake.output.items())), "tracks")
