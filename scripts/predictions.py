from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.bundle import files, predicted
    from genreflow.errors import GenreflowError

    output, params = snakemake.output, snakemake.params
    found = files.predict(
        snakemake.input.bundle,
        [params.path],
        hop=params.hop or None,
        threads=snakemake.threads,
        jobs=snakemake.threads,
        report=print,
    )
    predicted.write_tables(
        found, by_file=output.predictions, by_window=output.segments, plain=output.plain
    )
    say(predicted.to_text(predicted.table(found.files)))
    if all(one.reason for one in found.files):
        raise GenreflowError(f"{params.path}: no file could be predicted; the table says why")
    say(f"The tables: {output.predictions}, {output.segments}")
