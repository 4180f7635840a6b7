from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow import figures, pca
    from genreflow.predictions import marked

    params = snakemake.params
    figures.explained_variance(
        {
            marked(name, params.marks): pca.read_curve(path, shares)
            for (name, shares), path in zip(params.shares.items(), snakemake.input, strict=True)
        },
        snakemake.output[0],
        title=f"Explained variance, {params.split}",
        note=params.note,
    )
