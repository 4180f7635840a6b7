from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from collections import defaultdict

    import pandas as pd
    from genreflow.learners.predictions import Entry, unmade
    from genreflow.report import figures

    params, output = snakemake.params, snakemake.output
    entries = [Entry.from_path(path, params.results) for path in snakemake.input]
    reasons = {learner: reason for (_, learner), reason in unmade(entries).items()}
    histories = defaultdict(dict)
    for number, entry in enumerate(entries):
        if entry.learner not in reasons:
            histories[entry.learner][number] = pd.read_csv(entry.predictions)
    family, monitors = snakemake.wildcards.family, params.monitors
    for learner, figure in zip(monitors, output.single, strict=True):
        named = {"title": f"{learner}, {family}", "note": params.note}
        if learner in reasons:
            figures.reason(reasons[learner], figure, **named)
            continue
        figures.learning_curves(histories[learner], figure, **named, monitor=monitors[learner])
    for pair, figure in zip(params.pairs, output.pairs, strict=True):
        named = {"title": f"{' and '.join(pair)}, {family}", "note": params.note}
        if lacking := [f"{learner}: {reasons[learner]}" for learner in pair if learner in reasons]:
            figures.reason("; ".join(lacking), figure, **named)
            continue
        figures.learning_curve_pairs(
            {learner: histories[learner] for learner in pair},
            figure,
            **named,
            monitor=monitors[pair[0]],
        )
