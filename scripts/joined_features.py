from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow import transfer

    print(transfer.join_cuts(list(snakemake.input), snakemake.output[0]), "columns")
