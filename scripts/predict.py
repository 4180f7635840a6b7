from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from genreflow.bundle import predict, predicted
    from genreflow.errors import GenreflowError

    output = snakemake.output
    found = predict.run(
        snakemake.input.bundle,
        [snakemake.params.path],
        output=output.predictions,
        segments_to=output.segments,
        threads=snakemake.threads,
        jobs=snakemake.threads,
        report=say,
    )
    say(predicted.to_text(found))
    if found["reason"].astype(bool).all():
        raise GenreflowError(
            f"{snakemake.params.path}: no file could be predicted; the table says why"
        )
    say(f"The tables: {output.predictions}, {output.segments}")
