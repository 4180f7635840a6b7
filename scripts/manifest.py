from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.corpus import manifest

    said = manifest.write_manifest(
        snakemake.input.listing,
        snakemake.input.audits,
        max_excluded=snakemake.params.max_excluded,
        tracks=snakemake.output.tracks,
        excluded=snakemake.output.excluded,
        summary=snakemake.output.summary,
    )
    say(said)
