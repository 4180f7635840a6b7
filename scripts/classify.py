from genreflow.runtime.logs import logged, paced

with logged(snakemake.log[0], outputs=snakemake.output):
    from genreflow.corpus.groups import known_components
    from genreflow.features import matrices
    from genreflow.learners import classifiers, pca
    from genreflow.runtime.files import read_table, write_csv, write_json

    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    tracks = read_table(snakemake.input.tracks)
    split = matrices.labelled(snakemake.input.split, tracks)
    x, split, missing = matrices.of_split(snakemake.input.matrix, split)
    name = f"classify/{wildcards.features}/{wildcards.pca}/{wildcards.classifier}"
    print(f"{name}, {wildcards.split}: {matrices.said(split, missing)}")
    share, prepared = pca.share_of(wildcards.pca), None
    if snakemake.input.pca:
        prepared = pca.load(snakemake.input.pca, share=share).pipeline(share)
    result = classifiers.classify(
        x,
        split["genre"],
        split["part"],
        split["track_id"],
        classifier=wildcards.classifier,
        groups=known_components(split.merge(tracks, on=["track_id", "genre"], how="left")),
        pca=share,
        prepared=prepared,
        threads=snakemake.threads,
        progress=paced(print, f"fits of {name}, {wildcards.split}"),
        **params.classify,
    )
    classifiers.save(result.model, output.model)
    write_csv(result.search.table, output.search)
    write_json(result.best, output.best)
    write_csv(result.predictions, output.predictions)
