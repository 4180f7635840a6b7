from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from genreflow.bundle import bundles
    from genreflow.layout import Layout

    input, params = snakemake.input, snakemake.params
    best = bundles.choose(
        input.predictions, folder=params.results, name=params.learner, seen=params.seen
    )
    layout = Layout(params.results)
    chosen = layout.parse(best)
    learner = chosen.learner
    combined = params.ensembles[learner.split("/")[1]]["of"] if "ensemble/" in learner else []
    members = [path for path in input.members if layout.parse(path).learner in combined]
    bundles.export(
        snakemake.output[0],
        bundles.runs_of(
            best,
            folder=params.results,
            joined=params.joined,
            variants=params.variants,
            members=members,
        ),
        predictions=best,
        learner=learner,
        split=chosen.split,
        seed=chosen.seed,
        images=input.images,
        combiner=chosen.combiner if combined else None,
        audit=params.audit,
        corpus=params.corpus,
        note=params.note,
        marks=params.marks,
        tracks=input.tracks,
    )
    say(f"{learner}, trained on {chosen.split}: {snakemake.output[0]}")
