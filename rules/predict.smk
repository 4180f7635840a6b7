rule export:
    """Pack the best learner of the first split, or the one that is named, into one folder."""
    input:
        predictions=predictions_to_choose_from,
        members=members_to_pack,
        models=models_to_choose_from,
        images=layout.spectrograms,
        shards=spectrogram_shards,
        features=features_to_choose_from,
        tracks=layout.tracks,
    output:
        directory(layout.pack),
    log:
        layout.log("export"),
    benchmark:
        layout.benchmark("export")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        learner=config["predict"]["learner"],
        seen=learned_from_validation(),
        joined=config["transfer"]["joined"],
        variants=crops_of_variants(),
        ensembles=config["ensembles"]["members"],
        audit={
            key: config["corpus"][key]
            for key in ("min_duration", "silence_level", "min_sounding")
        },
        corpus=config["corpus"]["name"],
        note=note(),
        marks=marks(),
        code=code("export.py"),
    message:
        "Pack a learner into {output}"
    script:
        "../scripts/export.py"


rule predict:
    """Predict the genres of new audio by the packed learner."""
    input:
        pack=layout.pack,
        audio=audio_to_predict,
    output:
        predictions=layout.predicted("predictions"),
        segments=layout.predicted("segments"),
    log:
        layout.log("predict"),
    benchmark:
        layout.benchmark("predict")
    conda:
        "../envs/genreflow.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        path=path_to_predict,
        code=code("predict.py"),
    message:
        "Predict {params.path}"
    script:
        "../scripts/predict.py"
