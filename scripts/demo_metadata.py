from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.corpus import demo

    params = snakemake.params
    demo.write_metadata(demo.tracks(**params.demo, source=params.source), snakemake.output[0])
