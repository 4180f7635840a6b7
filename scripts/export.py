from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from genreflow.bundle import bundles
    from genreflow.evaluation import choice
    from genreflow.layout import COMBINER, Layout

    input, params = snakemake.input, snakemake.params
    layout, learners = Layout(params.results), params.learners
    best = choice.choose(
        input.predictions, folder=params.results, name=params.learner, seen=params.seen
    )
    chosen = layout.parse(best)
    members = learners[chosen.learner]["members"]
    fitted = [layout.parse(path) for path in input.members] if members else [chosen]
    bundles.export(
        snakemake.output[0],
        chosen,
        [
            bundles.model_of(one, learners[one.learner], layout, params.networks)
            for one in fitted
            if one.learner in (members or [chosen.learner])
        ],
        combiner=chosen.model(COMBINER) if members else None,
        images=input.images,
        audit=params.audit,
        title=learners[chosen.learner]["title"],
        corpus=params.corpus,
        note=params.note,
        marks=params.marks,
        credits=params.credits,
        tracks=input.tracks,
        validated=chosen.learner not in params.seen,
    )
    say(f"{chosen.learner}, trained on {chosen.split}: {snakemake.output[0]}")
