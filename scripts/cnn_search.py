from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output) as say:
    import shutil
    from pathlib import Path

    import yaml
    from genreflow.features import backend
    from genreflow.learners import cnn, hyperband
    from genreflow.runtime import digest
    from genreflow.runtime.files import write_csv, write_text

    wildcards, params, input = snakemake.wildcards, snakemake.params, snakemake.input
    settings, fit, variant = dict(params.search), dict(params.fit), dict(params.variant)
    if input.weights:
        variant["weights"] = input.weights
    space = cnn.spread(settings.pop("space"), variant)
    factor, seed = settings.pop("factor"), settings["seed"]
    fingerprint = digest.fingerprint(
        variant,
        params.search,
        fit,
        params.code,
        snakemake.threads,
        snakemake.resources.trials,
        files=sorted(set(input)),
    )
    task = hyperband.Task(
        images=input.images,
        split=input.split,
        copies=input.copies or None,
        variant=variant,
        folder=str(Path(snakemake.output.trials).with_name(".trials")),
        fingerprint=fingerprint,
        memory_mb=snakemake.resources.images_mb,
        precision=fit.pop("precision"),
        threads=snakemake.threads,
        settings=fit,
        **settings,
    )
    backend.configure(threads=task.threads, seed=seed, precision=task.precision)
    name = f"search for cnn/{wildcards.variant}, {wildcards.split}"
    trials = hyperband.search(
        task,
        space,
        factor=factor,
        workers=snakemake.resources.trials,
        say=lambda line: say(f"{name}: {line}"),
    )
    winner = hyperband.best(trials, objective=task.objective, names=list(space))
    write_text(snakemake.output.winner, yaml.safe_dump(winner, sort_keys=False))
    write_csv(trials, snakemake.output.trials)
    shutil.rmtree(task.folder)
