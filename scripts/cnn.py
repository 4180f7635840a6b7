from genreflow.runtime.logs import logged

with logged(snakemake.log[0], outputs=snakemake.output):
    from pathlib import Path

    from genreflow.features import backend
    from genreflow.learners import cnn, training
    from genreflow.runtime import digest
    from genreflow.runtime.files import read_table, write_csv

    wildcards, params, input = snakemake.wildcards, snakemake.params, snakemake.input
    seed, settings, threads = int(wildcards.seed), dict(params.fit), snakemake.threads
    variant = cnn.completed(params.variant, winner=input.winner, weights=input.weights)
    fingerprint = digest.fingerprint(
        variant, settings, params.code, seed, threads, files=sorted(set(input))
    )
    backend.configure(threads=threads, seed=seed, precision=settings.pop("precision"))
    name = f"cnn/{wildcards.variant}, {wildcards.split}, seed {seed}"
    path = Path(snakemake.output.model).with_name(".checkpoint.npz")
    with training.Checkpoint(path, fingerprint) as checkpoint:
        model, history, predictions = cnn.fit(
            input.images,
            read_table(input.split),
            variant=variant,
            copies=input.copies or None,
            memory_mb=snakemake.resources.images_mb,
            seed=seed,
            report=lambda line: print(f"{name}: {line}"),
            checkpoint=checkpoint,
            **settings,
        )
        training.save(model, snakemake.output.model)
        write_csv(history, snakemake.output.history)
        write_csv(predictions, snakemake.output.predictions)
