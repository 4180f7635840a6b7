rule backbone:
    """Build a backbone up to its deepest cut, and choose what runs it fastest."""
    input:
        network=network_file,
        weights=weights_file,
    output:
        directory(layout.network("{backbone}")),
    log:
        layout.log("backbone", "{backbone}"),
    benchmark:
        layout.benchmark("backbone", "{backbone}")
    wildcard_constraints:
        backbone=backbone_pattern("keras"),
    conda:
        "../envs/genreflow.yaml"
    threads: config["transfer"]["threads"]
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        backbone=keras_settings,
        audio=config["audio"],
        spectrogram=config["spectrogram"],
        code=code("backbone.py"),
    message:
        "Prepare the backbone {wildcards.backbone}"
    script:
        "../scripts/backbone.py"


rule backbone_shard:
    """Extract the features of all cuts of a backbone in one pass over a shard's images."""
    input:
        shard=layout.spectrogram_shard("{shard}"),
        network=layout.network("{backbone}"),
    output:
        layout.backbone_shard("{backbone}", "{shard}"),
    log:
        layout.log("backbone_shard", "{backbone}", "{shard}"),
    benchmark:
        layout.benchmark("backbone_shard", "{backbone}", "{shard}")
    wildcard_constraints:
        backbone=backbone_pattern("keras"),
    conda:
        "../envs/genreflow.yaml"
    threads: config["transfer"]["threads"]
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        dtype=config["transfer"]["dtype"],
        code=code("backbone_shard.py"),
    message:
        "Extract features of {wildcards.backbone}, shard {wildcards.shard}"
    script:
        "../scripts/backbone_shard.py"


rule onnx_shard:
    """Extract features of a shard's tracks by a network in ONNX."""
    input:
        shard=layout.spectrogram_shard("{shard}"),
        wavs=wavs_of_shard,
        network=network_file,
    output:
        layout.backbone_shard("{backbone}", "{shard}"),
    log:
        layout.log("onnx_shard", "{backbone}", "{shard}"),
    benchmark:
        layout.benchmark("onnx_shard", "{backbone}", "{shard}")
    wildcard_constraints:
        backbone=backbone_pattern("onnx"),
    conda:
        "../envs/genreflow.yaml"
    threads: config["transfer"]["threads"]
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        tracks=ids_of_shard,
        backbone=onnx_settings,
        sample_rate=config["audio"]["sample_rate"],
        dtype=config["transfer"]["dtype"],
        code=code("onnx_shard.py"),
    message:
        "Extract features of {wildcards.backbone}, shard {wildcards.shard}"
    script:
        "../scripts/onnx_shard.py"


rule backbone_features:
    """Join the shards of a backbone's features at a cut into one matrix."""
    input:
        backbone_shards,
    output:
        layout.features("{backbone}/{cut}"),
    log:
        layout.log("backbone_features", "{backbone}", "{cut}"),
    benchmark:
        layout.benchmark("backbone_features", "{backbone}", "{cut}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code("backbone_features.py"),
    message:
        "Join the features {wildcards.backbone}/{wildcards.cut}"
    script:
        "../scripts/backbone_features.py"


rule joined_features:
    """Put the features of several cuts side by side."""
    input:
        joined_matrices,
    output:
        layout.features("joined/{joined}"),
    log:
        layout.log("joined_features", "{joined}"),
    benchmark:
        layout.benchmark("joined_features", "{joined}")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        # Their order is that of the columns; Snakemake compares inputs as a set.
        matrices=lambda wildcards: config["transfer"]["joined"][wildcards.joined],
        code=code("joined_features.py"),
    message:
        "Join the features joined/{wildcards.joined}"
    script:
        "../scripts/joined_features.py"
