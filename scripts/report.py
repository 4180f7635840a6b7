from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from pathlib import Path

    from genreflow.layout import Layout
    from genreflow.report import ending, page, provenance

    params = snakemake.params
    lost = ending.losses(Layout(params.results), params.matrices)
    size = page.write(
        snakemake.output[0],
        # What jobs cost is measured, not made: no rule declares it.
        [*snakemake.input, *sorted(Path(Layout(params.results).benchmarks).rglob("*.tsv"))],
        results=params.results,
        # All of it is shown, but a key that changes no result makes no report stale.
        config=snakemake.config,
        versions=provenance.versions(),
        commit=provenance.commit(snakemake.scriptdir),
        limits=params.limits,
        losses=lost,
        marks=params.marks,
        about=params.about,
    )
    print(f"{size / 1e6:.1f} MB")
