from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    params = snakemake.params
    if params.weights:
        from genreflow.features import imagenet_weights

        imagenet_weights.fetch_all(params.weights)
        say(f"there: {', '.join(one['path'] for one in params.weights)}")
    if params.kind == "fma":
        from genreflow.corpus import fma

        fma.fetch(params.folder, params.subset, url=params.url)
        say(f"{'the corpus is' if params.subset else 'the metadata are'} at {params.folder}")
    if params.kind != "fma" and not params.weights:
        say("nothing to fetch")
