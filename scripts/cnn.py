from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output) as say:
    from pathlib import Path

    import yaml
    from genreflow.errors import NotPossible
    from genreflow.features import backend
    from genreflow.learners import cnn, training
    from genreflow.runtime import digest, outcomes
    from genreflow.runtime.files import read_table, write_csv

    wildcards, params, input = snakemake.wildcards, snakemake.params, snakemake.input
    seed, settings, variant = int(wildcards.seed), dict(params.fit), dict(params.variant)
    if input.winner:
        outcomes.require(input.winner)
        variant = cnn.with_values(variant, yaml.safe_load(Path(input.winner).read_text()))
    if input.weights:
        variant["weights"] = input.weights
    fingerprint = digest.fingerprint(
        variant, settings, params.code, seed, snakemake.threads, files=sorted(set(input))
    )
    checkpoint = training.Checkpoint(
        Path(snakemake.output.model).with_name(".checkpoint.npz"), fingerprint
    )
    backend.configure(threads=snakemake.threads, seed=seed, precision=settings.pop("precision"))
    name = f"cnn/{wildcards.variant}, {wildcards.split}, seed {seed}"
    try:
        model, history, predictions = cnn.fit(
            input.images,
            read_table(input.split),
            variant=variant,
            copies=input.copies or None,
            memory_mb=snakemake.resources.images_mb,
            seed=seed,
            report=lambda line: say(f"{name}: {line}"),
            checkpoint=checkpoint,
            **settings,
        )
    except NotPossible:
        checkpoint.remove()
        raise
    training.save(model, snakemake.output.model)
    write_csv(history, snakemake.output.history)
    write_csv(predictions, snakemake.output.predictions)
    checkpoint.remove()
