from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.corpus import splits
    from genreflow.runtime.files import read_table, write_csv

    tracks = read_table(snakemake.input[0])
    name, params = snakemake.wildcards.split, snakemake.params
    split = splits.make(name, tracks, **params.shares, seed=params.seed)
    say(f"{name}: {splits.summary(split, tracks)}")
    write_csv(split, snakemake.output[0])
