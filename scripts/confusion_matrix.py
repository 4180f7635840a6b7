from genreflow.logs import logged

with logged(snakemake.log[0]):
    from genreflow import evaluate, figures
    from genreflow.files import atomic

    params, wildcards = snakemake.params, snakemake.wildcards
    entries = [evaluate.Entry.from_path(path, params.results) for path in snakemake.input]
    counts = evaluate.confusion(entries)
    with atomic(snakemake.output.counts) as part:
        counts.to_csv(part)
    title = f"{wildcards.learner}, {wildcards.family}: test tracks"
    figures.confusion_matrix(counts, snakemake.output.figure, title=title, note=params.note)
