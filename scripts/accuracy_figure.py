from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.report import figures
    from genreflow.runtime.files import read_values

    comparison = read_values(snakemake.input[0])
    figures.accuracy_intervals(comparison, snakemake.output[0], note=snakemake.params.note)
