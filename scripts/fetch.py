from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from genreflow import fma

    params = snakemake.params
    if params.kind == "fma":
        fma.fetch(params.folder, params.subset, url=params.url)
    say(f"the corpus is at {params.folder}" if params.kind == "fma" else "nothing to fetch")
