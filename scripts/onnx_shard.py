from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.features import onnx_networks

    input, params, name = snakemake.input, snakemake.params, snakemake.wildcards.backbone
    settings = dict(params.backbone)
    ((cut, output),) = settings.pop("cuts").items()
    network = onnx_networks.Network(
        input.network,
        sha256=settings.pop("sha256"),
        settings=onnx_networks.Settings(output=output, **settings),
        threads=snakemake.threads,
    )
    about = {"name": name, "cut": cut, "dtype": params.dtype}
    if network.settings.input == "waveform":
        found = onnx_networks.extract_waveforms(
            snakemake.output[0],
            zip(params.tracks, input.wavs, strict=True),
            network,
            sample_rate=params.sample_rate,
            **about,
        )
    else:
        found = onnx_networks.extract_images(snakemake.output[0], input.shard, network, **about)
    print(f"{found} tracks")
