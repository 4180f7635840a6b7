from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import spectrograms
    from genreflow.report import galleries

    params, images = snakemake.params, snakemake.input.images
    galleries.gallery(
        galleries.genres(images, seed=params.seed),
        snakemake.output[0],
        settings=spectrograms.read_settings(images),
        title="Clips of each genre",
        note=params.note,
    )
