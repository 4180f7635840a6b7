"""The figure of where a result stands among published ones."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from genreflow.evaluation.standing import OURS
from genreflow.report.drawing import COLORS, GREY, draw_legend, drawing, list_shares


def standing(
    table: pd.DataFrame,
    path: str | Path,
    *,
    title: str = "Where a result stands: FMA small, official split",
    note: str = "",
) -> None:
    """Draw the accuracies of `evaluation.standing.standing`; ours have intervals."""
    names = [
        row.method if row.source == OURS else f"{row.method} ({row.source.split(',')[0]})"
        for row in table.itertuples()
    ]
    width = 4.6 + 0.075 * max(map(len, names))
    places, ours = np.arange(len(table)), (table["source"] == OURS).to_numpy()
    with drawing(path, width, 0.27 * len(table) + 1.2, title=title, note=note) as figure:
        axes = figure.subplots()
        own = table[ours]
        axes.hlines(places[ours], own["low"], own["high"], color=COLORS[1], lw=2, alpha=0.6)
        for some, marker, color, label in (
            (~ours, "D", COLORS[0], "published"),
            (ours, "o", COLORS[1], "this run, with 95 % interval"),
        ):
            if some.any():
                accuracies = table.loc[some, "accuracy"]
                axes.plot(accuracies, places[some], marker, color=color, ms=6, label=label)
        list_shares(axes, names, table["accuracy"])
        for tick, own_row in zip(axes.get_yticklabels(), ours, strict=True):
            tick.set(fontweight="bold" if own_row else "normal", color="black" if own_row else GREY)
        axes.set_xlabel("test accuracy")
        axes.set_xlim(0, min(1.02, table[["accuracy", "high"]].max(axis=None) + 0.04))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        draw_legend(figure, [axes], ncols=2)
