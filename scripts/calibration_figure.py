from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.report import figures
    from genreflow.runtime.files import read_values

    family, table = snakemake.wildcards.family, read_values(snakemake.input[0])
    figures.calibration(
        table[table["split"] == family],
        snakemake.output[0],
        title=f"Calibration, {family}: test tracks",
        note=snakemake.params.note,
    )
