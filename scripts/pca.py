from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output):
    from genreflow.features import matrices
    from genreflow.learners import pca
    from genreflow.runtime.files import read_table

    wildcards, params = snakemake.wildcards, snakemake.params
    split = read_table(snakemake.input.split)
    x, split, missing = matrices.of_split(
        snakemake.input.matrix, split[split["part"].isin(params.fit_on)]
    )
    print(matrices.said(split, missing))
    found = pca.decompose(x, share=max(params.shares), threads=snakemake.threads)
    pca.save(found, snakemake.output[0], {"features": wildcards.features})
    for share in params.shares:
        print(f"{share:g} of the variance: {found.components_for(share)} components")
