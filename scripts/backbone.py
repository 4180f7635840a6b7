from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.features import backend, network_shards, spectrograms

    wildcards, input, settings = snakemake.wildcards, snakemake.input, snakemake.params.backbone
    images = spectrograms.Settings(**snakemake.params.audio, **snakemake.params.spectrogram)
    backend.configure(threads=snakemake.threads, seed=settings["seed"])
    prepared = network_shards.prepare(
        snakemake.output[0],
        network_shards.trial_images(images),
        weights_file=input.weights or None,
        threads=snakemake.threads,
        **settings,
    )
    slower = f", which is slower than OpenVINO ({prepared.why})" if prepared.why else ""
    say(f"{wildcards.backbone}: {prepared.engine} in {prepared.precision}{slower}")
