from genreflow.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow import backend, cnn, training
    from genreflow.files import read_table, write_csv

    wildcards, params = snakemake.wildcards, snakemake.params
    seed, settings = int(wildcards.seed), dict(params.fit)
    backend.configure(threads=snakemake.threads, seed=seed, precision=settings.pop("precision"))
    name = f"cnn/{wildcards.variant}, {wildcards.split}, seed {seed}"
    model, history, predictions = cnn.fit(
        snakemake.input.images,
        read_table(snakemake.input.split),
        variant=params.variant,
        memory_mb=snakemake.resources.images_mb,
        seed=seed,
        report=lambda line: say(f"{name}: {line}"),
        **settings,
    )
    training.save(model, snakemake.output.model)
    write_csv(history, snakemake.output.history)
    write_csv(predictions, snakemake.output.predictions)
