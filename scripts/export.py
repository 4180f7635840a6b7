from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from pathlib import Path

    from genreflow import packs
    from genreflow.predictions import place

    input, params = snakemake.input, snakemake.params
    best = packs.choose(
        input.predictions, folder=params.results, name=params.learner, seen=params.seen
    )
    split, learner, seed = place(best, params.results)
    combined = params.ensembles[learner.split("/")[1]]["of"] if "ensemble/" in learner else []
    members = [path for path in input.members if place(path, params.results)[1] in combined]
    packs.export(
        snakemake.output[0],
        packs.runs_of(
            best,
            folder=params.results,
            joined=params.joined,
            variants=params.variants,
            members=members,
        ),
        predictions=best,
        learner=learner,
        split=split,
        seed=seed,
        images=input.images,
        combiner=Path(best).with_name("combiner.skops") if combined else None,
        audit=params.audit,
        corpus=params.corpus,
        note=params.note,
        marks=params.marks,
        tracks=input.tracks,
    )
    say(f"{learner}, trained on {split}: {snakemake.output[0]}")
