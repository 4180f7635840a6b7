from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from pathlib import Path

    from genreflow.audio.audit import audit
    from genreflow.layout import Layout
    from genreflow.runtime.files import write_csv

    ids, layout = snakemake.params.tracks, Layout(snakemake.params.results)
    logs = [Path(layout.log("wav", track_id)) for track_id in ids]
    tracks = zip(ids, map(Path, snakemake.input.wavs), logs, strict=True)
    sources = dict(zip(ids, snakemake.params.sources, strict=True))
    write_csv(audit(tracks, sources=sources, **snakemake.params.audit), snakemake.output[0])
