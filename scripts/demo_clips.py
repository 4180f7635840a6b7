from genreflow.logs import counted, logged

with logged(snakemake.log[0]) as say:
    from genreflow import demo

    params = snakemake.params
    tracks = demo.tracks(**params.demo, source=params.source)
    made = demo.write_clips(tracks, **params.demo, threads=snakemake.threads)
    for track in counted(made, len(tracks), unit="clips of the demo corpus made", say=say):
        print(track.path)
