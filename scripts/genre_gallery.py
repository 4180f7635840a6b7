from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.report import galleries

    params = snakemake.params
    galleries.genres(
        snakemake.input.images,
        snakemake.output[0],
        title="Clips of each genre",
        note=params.note,
        seed=params.seed,
    )
