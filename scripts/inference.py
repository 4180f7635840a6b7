from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True, outputs=snakemake.output) as say:
    from genreflow.bundle import bundles, latency
    from genreflow.errors import NotPossible
    from genreflow.features import backend, matrices
    from genreflow.runtime import outcomes
    from genreflow.runtime.files import read_table, write_csv, write_text

    input, params, output = snakemake.input, snakemake.params, snakemake.output
    threads = min(params.threads, snakemake.threads)
    backend.configure(threads=threads, seed=0)
    tracks = read_table(input.tracks).set_index("track_id")["path"]
    split = read_table(input.split)
    # Times don't depend on what a network has seen; but users expect clips that are new to it.
    order = split.assign(seen=split["part"] != "test").sort_values("seen", kind="stable")
    # Some clips may have no features of a kind: too short, or at too high a rate.
    for path in (path for path in input.features if path.endswith(".h5")):
        order = order[order["track_id"].isin(matrices.read_track_ids(path))]
    chosen = order["track_id"].iloc[: params.clips]
    runs = [
        run
        for path in input.predictions
        if not outcomes.reason_of(path)
        for run in bundles.runs_of(
            path, folder=params.results, joined=params.joined, variants=params.variants
        )
    ]
    if not runs:
        raise NotPossible("no learner could be made, so that there is nothing to time")
    table = latency.measure(
        runs,
        tracks[chosen].tolist(),
        images=input.images,
        threads=threads,
        ensembles=params.ensembles,
        seeds=params.seeds,
        report=print,
    )
    write_csv(table, output.csv)
    text = latency.to_markdown(table, note=params.note, marks=params.marks)
    write_text(output.markdown, text)
    say(f"Inference times of {len(runs)} learners: {output.markdown}")
