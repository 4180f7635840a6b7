from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from genreflow.report import figures
    from genreflow.runtime import outcomes

    params = snakemake.params
    for title, path, figure in zip(params.titles, snakemake.input, snakemake.output, strict=True):
        if reason := outcomes.reason_of(path):
            figures.reason(reason, figure, title=title, note=params.note)
            continue
        figures.search(
            pd.read_csv(path).drop(columns="note"),
            figure,
            title=title,
            note=params.note,
            objective=params.objective,
        )
