from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from pathlib import Path

    from genreflow import audio
    from genreflow.runtime.files import write_csv

    ids = snakemake.params.tracks
    logs = [Path(snakemake.params.logs, f"{track_id}.log") for track_id in ids]
    tracks = zip(ids, map(Path, snakemake.input.wavs), logs, strict=True)
    audit = audio.audit(tracks, **snakemake.params.audit)
    write_csv(audit, snakemake.output[0])
