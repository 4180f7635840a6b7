from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import shards
    from genreflow.features.feature_set import Part

    input, params = snakemake.input, snakemake.params
    part = Part(**params.feature_set, output="", network=str(input.get("network", "")))
    features = part.feature_set(threads=snakemake.threads)
    if features.uses_keras:
        from genreflow.features import backend

        backend.configure(threads=snakemake.threads, seed=0)
    files = [input.clips] if isinstance(input.clips, str) else input.clips
    clips = features.clips(params.tracks, files, sample_rate=params.sample_rate)
    found = shards.write(snakemake.output[0], features, clips)
    print(f"features of {found} of {len(params.tracks)} tracks")
