if config["handcrafted"]["source"] == "audio":

    rule handcrafted_shard:
        """Compute the hand-crafted features of a shard's tracks from the source audio."""
        input:
            sources=sources_of_shard,
        output:
            layout.handcrafted_shard("{shard}"),
        log:
            layout.log("handcrafted_shard", "{shard}"),
        benchmark:
            layout.benchmark("handcrafted_shard", "{shard}")
        conda:
            "../envs/genreflow.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=240,
        params:
            tracks=ids_of_shard,
            handcrafted=handcrafted_settings(),
            code=code("handcrafted_shard.py"),
        message:
            "Compute the hand-crafted features of shard {wildcards.shard}"
        script:
            "../scripts/handcrafted_shard.py"

    rule handcrafted:
        """Join the shards of hand-crafted features, also as a table in FMA's format."""
        input:
            handcrafted_shards,
        output:
            matrix=layout.features("handcrafted"),
            table=layout.handcrafted_table,
            left_out=layout.without_handcrafted,
        log:
            layout.log("handcrafted"),
        benchmark:
            layout.benchmark("handcrafted")
        conda:
            "../envs/genreflow.yaml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            code=code("handcrafted.py"),
        message:
            "Join the hand-crafted features"
        script:
            "../scripts/handcrafted.py"


if config["handcrafted"]["source"] == "published":

    rule published_features:
        """Take the corpus's hand-crafted features from a table in FMA's format."""
        input:
            listing=layout.listing,
            table=config["handcrafted"]["table"],
        output:
            matrix=layout.features("handcrafted"),
            table=layout.handcrafted_table,
            left_out=layout.without_handcrafted,
        log:
            layout.log("published_features"),
        benchmark:
            layout.benchmark("published_features")
        conda:
            "../envs/genreflow.yaml"
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
        params:
            max_missing=config["corpus"]["max_excluded"],
            code=code("published_features.py"),
        message:
            "Read the published features"
        script:
            "../scripts/published_features.py"
