from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import spectrograms

    print(spectrograms.join(snakemake.output[0], snakemake.input), "images")
