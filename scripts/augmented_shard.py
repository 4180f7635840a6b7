from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.corpus.tracks import PARTS
    from genreflow.learners import masked_copies
    from genreflow.runtime.files import read_table

    split = read_table(snakemake.input.split)
    written = masked_copies.write_copies(
        snakemake.output[0],
        snakemake.input.shard,
        split["track_id"][split["part"] == PARTS[0]],
        **snakemake.params.augment,
    )
    print(f"{written} copies")
