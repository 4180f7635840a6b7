from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import fma_tables

    print(fma_tables.write_table(snakemake.input[0], snakemake.output[0]), "tracks")
