from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from genreflow import figures

    params = snakemake.params
    for title, path, figure in zip(params.titles, snakemake.input, snakemake.output, strict=True):
        figures.search(
            pd.read_csv(path).drop(columns="note"),
            figure,
            title=title,
            note=params.note,
            objective=params.objective,
        )
