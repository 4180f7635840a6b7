from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.corpus.tracks import read_listing
    from genreflow.features import fma_tables

    ids = [track.track_id for track in read_listing(snakemake.input.listing).tracks]
    found, missing = fma_tables.write_matrix(
        snakemake.input.table,
        ids,
        max_missing=snakemake.params.max_missing,
        **dict(snakemake.output.items()),
    )
    say(f"published features of {found} of {len(ids)} tracks")
    if missing:
        say(f"{len(missing)} tracks have none ({snakemake.output.left_out}): {', '.join(missing)}")
