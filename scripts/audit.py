from genreflow.logs import logged

with logged(snakemake.log[0]):
    from pathlib import Path

    from genreflow.audio.audit import audit
    from genreflow.files import write_csv

    ids = snakemake.params.tracks
    logs = [Path(snakemake.params.logs, f"{track_id}.log") for track_id in ids]
    tracks = zip(ids, map(Path, snakemake.input.wavs), logs, strict=True)
    write_csv(audit(tracks, **snakemake.params.audit), snakemake.output[0])
