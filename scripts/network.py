from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.features import backend, preparation, spectrograms

    input, settings = snakemake.input, snakemake.params.network
    images = spectrograms.Settings(**snakemake.params.audio, **snakemake.params.spectrogram)
    backend.configure(threads=snakemake.threads, seed=settings["seed"])
    prepared = preparation.prepare(
        snakemake.output[0],
        preparation.trial_images(images),
        weights_file=input.weights or None,
        threads=snakemake.threads,
        **settings,
    )
    slower = f", which is slower than OpenVINO ({prepared.why})" if prepared.why else ""
    name = snakemake.wildcards.feature_set
    say(f"{name}: {prepared.engine} in {prepared.precision}{slower}")
