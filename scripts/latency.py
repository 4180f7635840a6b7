from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output):
    from genreflow.bundle import bundles, latency
    from genreflow.errors import NotPossible
    from genreflow.features import backend, matrices
    from genreflow.layout import Layout
    from genreflow.runtime import outcomes
    from genreflow.runtime.files import read_table, write_csv, write_text

    input, params, output = snakemake.input, snakemake.params, snakemake.output
    threads = min(params.threads, snakemake.threads)
    backend.configure(threads=threads, seed=0)
    layout = Layout(params.results)
    fitted = [layout.parse(path) for path in input.predictions if not outcomes.reason_of(path)]
    if not fitted:
        raise NotPossible("no learner could be made, so that there is nothing to time")
    read = [
        bundles.model_of(one, params.learners[one.learner], layout, params.networks)
        for one in fitted
    ]
    clips = latency.choose_clips(
        read_table(input.tracks),
        read_table(input.split),
        [matrices.read_track_ids(path) for path in input.features if path.endswith(".h5")],
        count=params.clips,
    )
    table = latency.measure(
        read,
        clips,
        images=input.images,
        threads=threads,
        ensembles=params.ensembles,
        seeds=params.seeds,
    )
    write_csv(table, output.csv)
    write_text(output.markdown, latency.to_markdown(table, note=params.note, titles=params.titles))
    print(f"The latency of {len(read)} learners: {output.markdown}")
