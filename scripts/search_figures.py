from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.report.drawing import draw_reason
    from genreflow.report.search_figure import search
    from genreflow.runtime import outcomes
    from genreflow.runtime.files import read_values

    params = snakemake.params
    for title, path, figure in zip(params.titles, snakemake.input, snakemake.output, strict=True):
        named = {"title": title, "note": params.note}
        if reason := outcomes.reason_of(path):
            draw_reason(reason, figure, **named)
        else:
            search(read_values(path), figure, objective=params.objective, **named)
