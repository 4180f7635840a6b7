from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output):
    from genreflow.features import backend, matrices
    from genreflow.learners import ffnn, training
    from genreflow.runtime.files import read_table, write_csv

    wildcards, output = snakemake.wildcards, snakemake.output
    seed = int(wildcards.seed)
    backend.configure(threads=snakemake.threads, seed=seed)
    split = matrices.labelled(snakemake.input.split, read_table(snakemake.input.tracks))
    x, split, missing = matrices.of_split(snakemake.input.matrix, split)
    said = matrices.said(split, missing)
    print(f"ffnn/{wildcards.units}, {wildcards.split}, seed {seed}: {said}")
    model, history, predictions, scores = ffnn.fit(
        x,
        split,
        units=[int(units) for units in wildcards.units.rpartition("/")[2].split("-")],
        seed=seed,
        report=print,
        **snakemake.params.fit,
    )
    training.save(model, output.model)
    write_csv(history, output.history)
    write_csv(scores, output.scores)
    write_csv(predictions, output.predictions)
