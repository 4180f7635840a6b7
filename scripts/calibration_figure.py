from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from genreflow.report import figures

    family, table = snakemake.wildcards.family, pd.read_csv(snakemake.input[0])
    rows = table[table["split"] == family]
    named = {"title": f"Calibration, {family}: test tracks", "note": snakemake.params.note}
    if rows.empty:
        reason = "No learner could be made; the table says why."
        figures.reason(reason, snakemake.output[0], **named)
    else:
        figures.calibration(rows, snakemake.output[0], **named)
