from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True):
    from genreflow import download

    download.fetch(
        snakemake.params.url, snakemake.output[0], digest=f"sha256:{snakemake.wildcards.sha256}"
    )
