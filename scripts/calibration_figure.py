from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from genreflow.report import figures

    family, table = snakemake.wildcards.family, pd.read_csv(snakemake.input[0])
    figures.calibration(
        table[table["split"] == family],
        snakemake.output[0],
        title=f"Calibration, {family}: test tracks",
        note=snakemake.params.note,
    )
