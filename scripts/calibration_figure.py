from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.report import figures
    from genreflow.runtime.files import read_values

    family, input = snakemake.wildcards.family, snakemake.input
    table, comparison = read_values(input.calibration), read_values(input.comparison)
    figures.calibration(
        table[table["split"] == family],
        comparison[comparison["split"] == family],
        snakemake.output[0],
        title=f"Calibration, {family}: test tracks",
        note=snakemake.params.note,
    )
