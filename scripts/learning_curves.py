from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from collections import defaultdict

    import pandas as pd
    from genreflow import figures
    from genreflow.predictions import place

    params, output = snakemake.params, snakemake.output
    histories = defaultdict(dict)
    for number, path in enumerate(snakemake.input):
        histories[place(path, params.results)[1]][number] = pd.read_csv(path)
    family, monitors = snakemake.wildcards.family, params.monitors
    for learner, figure in zip(monitors, output.single, strict=True):
        figures.learning_curves(
            histories[learner],
            figure,
            title=f"{learner}, {family}",
            note=params.note,
            monitor=monitors[learner],
        )
    for pair, figure in zip(params.pairs, output.pairs, strict=True):
        figures.learning_curve_pairs(
            {learner: histories[learner] for learner in pair},
            figure,
            title=f"{' and '.join(pair)}, {family}",
            note=params.note,
            monitor=monitors[pair[0]],
        )
