from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import handcrafted_shards

    params = snakemake.params
    tracks = list(zip(params.tracks, snakemake.input.sources, strict=True))
    found = handcrafted_shards.extract_shard(snakemake.output[0], tracks, **params.handcrafted)
    print(f"features of {found} of {len(tracks)} tracks")
