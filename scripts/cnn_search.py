from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output):
    import shutil
    from pathlib import Path

    import yaml
    from genreflow.features import backend
    from genreflow.learners import cnn, hyperband
    from genreflow.runtime import digest
    from genreflow.runtime.files import write_csv, write_text

    wildcards, params, input = snakemake.wildcards, snakemake.params, snakemake.input
    search, fit = dict(params.search), dict(params.fit)
    space, factor, workers = search.pop("space"), search.pop("factor"), snakemake.resources.trials
    described = (dict(params.variant), params.search, fit, params.code, snakemake.threads, workers)
    task = hyperband.Task(
        images=input.images,
        split=input.split,
        copies=input.copies or None,
        variant=cnn.completed(params.variant, weights=input.weights),
        folder=str(Path(snakemake.output.trials).with_name(".trials")),
        fingerprint=digest.fingerprint(*described, files=sorted(set(input))),
        memory_mb=snakemake.resources.images_mb,
        precision=fit["precision"],
        threads=snakemake.threads,
        settings={key: fit[key] for key in ("batch_size", "class_weight")},
        **search,
    )
    backend.configure(threads=task.threads, seed=task.seed, precision=task.precision)
    name = f"search for cnn/{wildcards.variant}, {wildcards.split}"
    trials, winner = hyperband.search(
        task, space, factor=factor, workers=workers, say=lambda line: print(f"{name}: {line}")
    )
    write_text(snakemake.output.winner, yaml.safe_dump(winner, sort_keys=False))
    write_csv(trials, snakemake.output.trials)
    shutil.rmtree(task.folder)
