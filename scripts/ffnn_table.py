from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.evaluation import study_tables
    from genreflow.runtime.files import write_csv, write_text

    params, output = snakemake.params, snakemake.output
    table = study_tables.ffnn(
        list(snakemake.input), results=params.results, fma_small=params.fma_small
    )
    write_csv(table, output.csv)
    write_text(output.markdown, study_tables.to_markdown(table, note=params.note))
