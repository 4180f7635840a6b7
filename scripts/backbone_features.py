from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow import transfer

    found = transfer.gather(list(snakemake.input), {snakemake.wildcards.cut: snakemake.output[0]})
    print(f"{found} tracks")
