from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.corpus import genres
    from genreflow.evaluation import calibration, choice, metrics, significance, verdict
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
    manifest = read_table(input.tracks)
    chosen, by = None, "no audio is looked at, so that nothing can be predicted"
    if params.choice:
        chosen, by = choice.marked(input.predictions, folder=params.results, **params.choice)
    say(f"Used for predictions: {chosen[1] if chosen else 'none'}, {by}")
    comparison = metrics.comparison(
        entries,
        fma_small=params.fma_small,
        manifest=manifest,
        chosen=chosen,
        marks=params.marks,
        left_out=params.left_out,
        about=params.about,
        tops=genres.tops(manifest["genre"], manifest["top_genre"]),
        **costs,
    )
    tests = significance.pairs(entries, manifest=manifest, marks=params.marks)
    write_csv(comparison, output.comparison)
    write_text(output.markdown, metrics.to_markdown(comparison, note=params.note))
    write_csv(tests, output.tests)
    write_text(output.tests_markdown, significance.to_markdown(tests, note=params.note))
    write_csv(metrics.recall(entries, marks=params.marks), output.genres)
    write_csv(calibration.reliability(entries, marks=params.marks), output.calibration)
    said = verdict.summary(comparison, tests, note=params.note, chosen_by=by)
    write_text(output.summary, said)
