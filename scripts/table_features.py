from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from genreflow.corpus.tracks import read_listing
    from genreflow.features import table_rows
    from genreflow.features.feature_set import Part

    params = snakemake.params
    said = table_rows.write_matrix(
        snakemake.input.table,
        read_listing(snakemake.input.listing).tracks,
        part=Part(**params.feature_set, output=""),
        max_excluded=params.max_excluded,
        **dict(snakemake.output.items()),
    )
    for line in said:
        say(line)
