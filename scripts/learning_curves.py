from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    from collections import defaultdict

    from genreflow.learners.predictions import Entry, unmade
    from genreflow.report.drawing import draw_reason
    from genreflow.report.figures import learning_curves
    from genreflow.runtime.files import read_values

    params, output = snakemake.params, snakemake.output
    titles = params.titles
    entries = [Entry.from_path(path, params.results) for path in snakemake.input]
    reasons = {learner: reason for (_, learner), reason in unmade(entries).items()}
    histories = defaultdict(dict)
    for entry in entries:
        if entry.learner not in reasons:
            histories[entry.learner][entry.predictions] = read_values(entry.predictions)
    drawn = [[learner] for learner in params.monitors] + params.pairs
    for learners, figure in zip(drawn, [*output.single, *output.pairs], strict=True):
        named = {
            "title": f"Learning curves of {' and '.join(map(titles.get, learners))}, "
            f"{snakemake.wildcards.family}",
            "note": params.note,
        }
        if lacking := [name for name in learners if name in reasons]:
            of_pair = "; ".join(f"{titles[name]}: {reasons[name]}" for name in lacking)
            draw_reason(of_pair if len(learners) > 1 else reasons[lacking[0]], figure, **named)
            continue
        learning_curves(
            {titles[learner]: histories[learner] for learner in learners},
            figure,
            monitor=params.monitors[learners[0]],
            **named,
        )
