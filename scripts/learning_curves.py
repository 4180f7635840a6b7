from genreflow.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd

    from genreflow import evaluate, figures

    params = snakemake.params
    paths = [(evaluate.place(path, params.results)[1], path) for path in snakemake.input]
    for (learner, monitor), figure in zip(params.monitors.items(), snakemake.output, strict=True):
        of_learner = [path for name, path in paths if name == learner]
        figures.learning_curves(
            dict(enumerate(map(pd.read_csv, of_learner))),
            figure,
            title=f"{learner}, {snakemake.wildcards.family}",
            note=params.note,
            monitor=monitor,
        )
