from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.evaluation import standing
    from genreflow.report import standing_figure
    from genreflow.runtime.files import read_values, write_csv, write_text

    output, note = snakemake.output, snakemake.params.note
    table = standing.standing(read_values(snakemake.input[0]))
    write_csv(table, output.csv)
    write_text(output.markdown, standing.to_markdown(table, note=note))
    standing_figure.standing(table, output.figure, note=note)
