rule export:
    """Put the best learner of the first split, or the one that is named, into a folder to take along."""
    input:
        predictions=lambda wildcards: checked(STAGES.candidate_predictions, wildcards),
        members=STAGES.candidate_members,
        models=STAGES.candidate_models,
        images=layout.spectrograms,
        shards=STAGES.spectrogram_shards,
        features=STAGES.candidate_features,
        tracks=layout.tracks,
    output:
        directory(layout.bundle),
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
        results=STAGES.results,
        learner=config["predict"]["learner"],
        seen=PLAN.seeing_validation,
        learners=lambda wildcards: STAGES.described(
            PLAN.with_members(STAGES.candidates)
        ),
        networks=lambda wildcards: PLAN.networks_of(
            PLAN.with_members(STAGES.candidates)
        ),
        credits=lambda wildcards: PLAN.credits_of(PLAN.with_members(STAGES.candidates)),
        audit=STAGES.audit_of_clips,
        corpus=config["corpus"]["name"],
        note=PLAN.note,
        marks=PLAN.marks,
        code=code("export.py", *STAGES.modules),
    message:
        "Bundle a learner in {output}"
    script:
        "../scripts/export.py"


rule predictions:
    """Predict the genres of new audio with the bundled learner."""
    input:
        bundle=layout.bundle,
        audio=audio_to_predict,
    output:
        predictions=layout.predicted("predictions"),
        segments=layout.predicted("segments"),
        plain=layout.predicted("predictions", "json"),
    log:
        layout.log("predictions"),
    benchmark:
        layout.benchmark("predictions")
    conda:
        "../envs/genreflow.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        path=lambda wildcards: config["predict"]["path"],
        hop=config["predict"]["hop"],
        code=code("predictions.py", *STAGES.modules),
    message:
        "Predict {params.path}"
    script:
        "../scripts/predictions.py"


rule predict:
    """Show what is predicted of new audio: a page to look at and listen to, and playlists."""
    input:
        layout.predicted("predictions", "json"),
    output:
        page=layout.predicted_page,
        playlists=directory(layout.playlists),
    log:
        layout.log("predict"),
    benchmark:
        layout.benchmark("predict")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("predict.py"),
    message:
        "Show what was predicted"
    script:
        "../scripts/predict.py"
