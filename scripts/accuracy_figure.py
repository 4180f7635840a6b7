from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from genreflow.report import figures

    comparison = pd.read_csv(snakemake.input[0])
    figures.accuracy_intervals(comparison, snakemake.output[0], note=snakemake.params.note)
