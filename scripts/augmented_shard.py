from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow import augment
    from genreflow.runtime.files import read_table
    from genreflow.tracks import PARTS

    split = read_table(snakemake.input.split)
    written = augment.write_copies(
        snakemake.output[0],
        snakemake.input.shard,
        split["track_id"][split["part"] == PARTS[0]],
        **snakemake.params.augment,
    )
    print(f"{written} copies")
