from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from genreflow.learners import pca
    from genreflow.report.drawing import draw_reason
    from genreflow.report.figures import explained_variance
    from genreflow.runtime import outcomes

    params = snakemake.params
    curves, lacking = {}, []
    for (name, shares), path in zip(params.shares.items(), snakemake.input, strict=True):
        if reason := outcomes.reason_of(path):
            lacking.append(f"{params.titles[name]}: {reason}.")
        else:
            curves[params.titles[name]] = pca.read_curve(path, shares)
    title = f"Explained variance, {params.split}"
    if curves:
        note = " ".join([*lacking, params.note])
        explained_variance(curves, snakemake.output[0], title=title, note=note)
    else:
        draw_reason(" ".join(lacking), snakemake.output[0], title=title, note=params.note)
