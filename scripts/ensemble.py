from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output):
    from genreflow.corpus.groups import known_components
    from genreflow.learners import ensembles
    from genreflow.learners.predictions import Entry
    from genreflow.runtime.files import read_table, write_csv

    params, output = snakemake.params, snakemake.output
    entries = [Entry.from_path(path, params.results) for path in snakemake.input.predictions]
    if params.how == "average":
        result = ensembles.average(entries)
    else:
        tracks = read_table(snakemake.input.tracks)
        groups = known_components(tracks)
        known = None if groups is None else dict(zip(tracks["track_id"], groups, strict=True))
        result = ensembles.stack(entries, groups=known, seed=params.seed)
        print(result.search)
    ensembles.save(result.combiner, output.combiner)
    write_csv(result.predictions, output.predictions)
