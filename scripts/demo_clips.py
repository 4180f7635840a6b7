from genreflow.runtime.logs import logged, paced

with logged(snakemake.log[0]):
    from genreflow.corpus import demo

    params = snakemake.params
    tracks = demo.tracks(**params.demo, source=params.source)
    progress = paced(print, "clips of the demo corpus made")
    made = demo.write_clips(tracks, **params.demo, threads=snakemake.threads)
    for number, track in enumerate(made, start=1):
        print(track.path)
        progress(number, len(tracks))
