"""The figure of where a result stands among published ones."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from genreflow.evaluation.standing import OURS
from genreflow.report.drawing import COLORS, GREY, draw_legend, drawing, write_beside


def standing(
    table: pd.DataFrame,
    path: str | Path,
    *,
    title: str = "Where a result stands: FMA small, official split",
    note: str = "",
) -> None:
    """Draw published accuracies and ours, which have intervals.

    Parameters
    ----------
    table
        What `evaluation.standing.standing` returned.
    """
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
        axes.set_yticks(places, names)
        for tick, own_row in zip(axes.get_yticklabels(), ours, strict=True):
            tick.set(fontweight="bold" if own_row else "normal", color="black" if own_row else GREY)
        axes.set(ylim=(len(table) - 0.5, -0.5), xlabel="test accuracy")
        axes.set_xlim(0, min(1.02, table[["accuracy", "high"]].max(axis=None) + 0.04))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        for place, accuracy in zip(places, table["accuracy"], strict=True):
            write_beside(axes, place, f"{100 * accuracy:.1f}")
        draw_legend(figure, [axes], ncols=2)
