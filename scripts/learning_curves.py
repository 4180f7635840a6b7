from genreflow.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd

    from genreflow import figures

    params, wildcards = snakemake.params, snakemake.wildcards
    figures.learning_curves(
        dict(enumerate(map(pd.read_csv, snakemake.input))),
        snakemake.output[0],
        title=f"{wildcards.learner}, {wildcards.family}",
        note=params.note,
        monitor=params.monitor,
    )
