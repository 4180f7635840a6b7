from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import shards
    from genreflow.runtime.files import read_table

    params, input = snakemake.params, snakemake.input
    output = dict(snakemake.output.items())
    used = list(read_table(input.tracks)["track_id"])
    limit = {"used": used, "max_excluded": params.max_excluded}
    found = shards.gather(list(input.shards), params.output, **limit, **output)
    print(f"{found} tracks")
