from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.errors import NotPossible
    from genreflow.evaluation import metrics
    from genreflow.learners.predictions import Entry
    from genreflow.report.drawing import draw_reason
    from genreflow.report.figures import confusion_matrix
    from genreflow.runtime import outcomes
    from genreflow.runtime.files import write_csv

    params, output = snakemake.params, snakemake.output
    entries = [Entry.from_path(path, params.results) for path in snakemake.input]
    for learner, figure, table in zip(params.learners, output.figures, output.counts, strict=True):
        title = f"{params.titles[learner]}, {snakemake.wildcards.family}: test tracks"
        try:
            counts = metrics.confusion([entry for entry in entries if entry.learner == learner])
        except NotPossible as error:
            outcomes.write_reason(table, str(error))
            draw_reason(str(error), figure, title=title, note=params.note)
            continue
        write_csv(counts.reset_index(), table)
        confusion_matrix(counts, figure, title=title, note=params.note)
