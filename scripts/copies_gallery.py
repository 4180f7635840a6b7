from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import spectrograms
    from genreflow.report import galleries

    params, images = snakemake.params, snakemake.input.images
    galleries.gallery(
        galleries.copies(images, snakemake.input.copies, seed=params.seed),
        snakemake.output[0],
        settings=spectrograms.read_settings(images),
        title=f"Masked copies for training, {snakemake.wildcards.split}",
        note=params.note,
    )
