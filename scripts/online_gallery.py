from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.corpus.tracks import PARTS
    from genreflow.features import backend, spectrograms
    from genreflow.learners import augmentation
    from genreflow.report import galleries
    from genreflow.runtime.files import read_table

    params, images = snakemake.params, snakemake.input.images
    backend.configure(threads=snakemake.threads, seed=params.seed)
    settings = spectrograms.read_settings(images)
    split = read_table(snakemake.input.split)
    changes = augmentation.examples(params.online, invert=settings.invert, seed=params.seed)
    galleries.gallery(
        galleries.online(
            images, split["track_id"][split["part"] == PARTS[0]], changes, seed=params.seed
        ),
        snakemake.output[0],
        settings=settings,
        title=f"Augmentation while training, {snakemake.wildcards.split}",
        note=params.note,
    )
