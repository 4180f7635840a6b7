from genreflow.logs import logged

with logged(snakemake.log[0]):
    from genreflow import evaluate
    from genreflow.files import write_csv, write_text

    params, output = snakemake.params, snakemake.output
    entries = [evaluate.Entry.from_path(path, params.results) for path in snakemake.input]
    comparison = evaluate.comparison(entries, fma_small=params.fma_small, marks=params.marks)
    write_csv(comparison, output.comparison)
    write_csv(evaluate.recall(entries, marks=params.marks), output.genres)
    write_text(output.markdown, evaluate.to_markdown(comparison, note=params.note))
    write_text(output.summary, evaluate.summary(comparison, note=params.note))
