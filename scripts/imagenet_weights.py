from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True):
    from genreflow import imagenet_weights

    imagenet_weights.fetch(snakemake.wildcards.network, snakemake.output[0], top=True)
