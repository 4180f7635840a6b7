from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.corpus import genres
    from genreflow.evaluation import calibration, metrics, significance
    from genreflow.learners.predictions import Entry
    from genreflow.runtime import outcomes
    from genreflow.runtime.files import read_table, read_values, write_csv, write_text

    params, output = snakemake.params, snakemake.output
    input = snakemake.input
    entries = [Entry.from_path(path, params.results) for path in input.predictions]
    costs = {}
    if input.latency and not outcomes.reason_of(input.latency):
        timed = metrics.latency_by_learner(read_values(input.latency))
        costs = {
            "parameters": timed["parameters"].dropna().to_dict(),
            "latency_seconds": timed["seconds"].to_dict(),
        }
    tracks = read_table(input.tracks)
    comparison = metrics.comparison(
        entries,
        fma_small=params.fma_small,
        marks=params.marks,
        left_out=params.left_out,
        about=params.about,
        tops=genres.tops(tracks["genre"], tracks["top_genre"]),
        **costs,
    )
    tests = significance.mcnemar(entries, marks=params.marks)
    write_csv(comparison, output.comparison)
    write_text(output.markdown, metrics.to_markdown(comparison, note=params.note))
    write_csv(tests, output.tests)
    write_text(output.tests_markdown, significance.to_markdown(tests, note=params.note))
    write_csv(metrics.recall(entries, marks=params.marks), output.genres)
    write_csv(calibration.reliability(entries, marks=params.marks), output.calibration)
    write_text(output.summary, metrics.summary(comparison, tests, note=params.note))
