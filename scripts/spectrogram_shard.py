from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import spectrograms

    params = snakemake.params
    settings = spectrograms.Settings(**params.audio, **params.spectrogram)
    tracks = list(zip(params.tracks, params.genres, snakemake.input.wavs, strict=True))
    written = spectrograms.write_shard(snakemake.output[0], tracks, settings)
    print(f"{written} images of {len(tracks)} tracks")
