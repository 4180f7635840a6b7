from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    from genreflow.features import spectrograms

    params = snakemake.params
    audio = dict(params.audio)
    if length := snakemake.input.get("length"):
        audio["duration"] = json.loads(Path(length).read_text())["seconds"]
    settings = spectrograms.Settings(**audio, **params.spectrogram)
    tracks = list(zip(params.tracks, params.genres, snakemake.input.wavs, strict=True))
    written = spectrograms.write_shard(snakemake.output[0], tracks, settings)
    print(f"{written} images of {len(tracks)} tracks")
