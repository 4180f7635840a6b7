rule network:
    """Build a network up to its deepest output, and choose what runs it fastest."""
    input:
        network=STAGES.network_file,
        weights=STAGES.weights_file,
    output:
        directory(layout.network("{feature_set}")),
    log:
        layout.log("network", "{feature_set}"),
    benchmark:
        layout.benchmark("network", "{feature_set}")
    wildcard_constraints:
        feature_set=one_of(STAGES.prepared),
    conda:
        "../envs/genreflow.yaml"
    threads: config["transfer"]["threads"]
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        network=STAGES.preparation,
        preparer=STAGES.preparer,
        images=STAGES.trial_images,
        code=lambda wildcards: code("network.py", STAGES.preparing_module(wildcards)),
    message:
        "Prepare the network {wildcards.feature_set}"
    script:
        "../scripts/network.py"


rule feature_shard:
    """Compute the features of a shard's tracks, all outputs of a feature set in one pass."""
    input:
        clips=STAGES.clips_of_shard,
        network=STAGES.network,
    output:
        layout.feature_shard("{feature_set}", "{shard}"),
    log:
        layout.log("feature_shard", "{feature_set}", "{shard}"),
    benchmark:
        layout.benchmark("feature_shard", "{feature_set}", "{shard}")
    conda:
        "../envs/genreflow.yaml"
    threads: STAGES.threads
    resources:
        mem_mb=STAGES.memory,
        runtime=240,
    params:
        tracks=STAGES.ids_of_shard,
        feature_set=STAGES.feature_set,
        sample_rate=STAGES.sample_rate,
        code=lambda wildcards: code("feature_shard.py", STAGES.module(wildcards)),
    message:
        "Compute the features {wildcards.feature_set} of shard {wildcards.shard}"
    script:
        "../scripts/feature_shard.py"


rule feature_matrix:
    """Join the shards of one output of a feature set into a matrix."""
    input:
        shards=STAGES.feature_shards,
        tracks=layout.tracks,
    output:
        matrix=layout.features("{features}"),
        left_out=layout.without_features("{features}"),
    log:
        layout.log("feature_matrix", "{features}"),
    benchmark:
        layout.benchmark("feature_matrix", "{features}")
    wildcard_constraints:
        features=one_of(STAGES.matrices),
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        output=STAGES.output,
        max_excluded=config["corpus"]["max_excluded"],
        code=lambda wildcards: code("feature_matrix.py", STAGES.module(wildcards)),
    message:
        "Join the features {wildcards.features}"
    script:
        "../scripts/feature_matrix.py"


rule joined_features:
    """Put several feature matrices side by side."""
    input:
        STAGES.joined_matrices,
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
        matrices=STAGES.joined,
        code=code("joined_features.py"),
    message:
        "Join the features joined/{wildcards.joined}"
    script:
        "../scripts/joined_features.py"


rule table_features:
    """Take a corpus's features from a table that somebody else made."""
    input:
        listing=layout.listing,
        table=STAGES.table_file,
    output:
        matrix=layout.features("{features}"),
        left_out=layout.without_features("{features}"),
    log:
        layout.log("table_features", "{features}"),
    benchmark:
        layout.benchmark("table_features", "{features}")
    wildcard_constraints:
        features=one_of(STAGES.tabulated),
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=STAGES.memory,
        runtime=60,
    params:
        feature_set=STAGES.feature_set,
        max_excluded=config["corpus"]["max_excluded"],
        code=code("table_features.py"),
    message:
        "Take the features {wildcards.features} from a table"
    script:
        "../scripts/table_features.py"


rule handcrafted_table:
    """Write the hand-crafted features in FMA's format."""
    input:
        layout.features("handcrafted"),
    output:
        layout.handcrafted_table,
    log:
        layout.log("handcrafted_table"),
    benchmark:
        layout.benchmark("handcrafted_table")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code("handcrafted_table.py"),
    message:
        "Write the hand-crafted features as a table"
    script:
        "../scripts/handcrafted_table.py"
