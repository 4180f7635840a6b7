"""Figures of the evaluation, as SVG: each takes the file, a title and a note as `drawing` does."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from genreflow.errors import GenreflowError
from genreflow.evaluation.ranking import best_of_kinds
from genreflow.report.drawing import (
    COLORS,
    GREY,
    INK,
    MARKERS,
    draw_legend,
    draw_reason,
    drawing,
    list_shares,
    shortened,
    write_beside,
)

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
"""The columns of a training history, one row per epoch."""

_NONE_MADE = "No learner could be made; the table says why."
_TRAINING, _VALIDATION, _CHANCE = COLORS[0], COLORS[1], GREY


def confusion_matrix(counts: pd.DataFrame, path: str | Path, *, title: str, note: str = "") -> None:
    """Draw which genres are taken for which, by `evaluation.metrics.confusion`."""
    values = counts.to_numpy()
    totals = values.sum(axis=1)
    shares = values / np.maximum(totals, 1)[:, np.newaxis]
    names = [shortened(str(name)) for name in counts.index]
    rows = [f"{name} ({total})" for name, total in zip(names, totals, strict=True)]
    size = len(names)
    cell = max(0.62 if size <= 10 else 0.42, 2.2 / size)
    left = 0.6 + 0.085 * max(map(len, rows))
    bottom = 0.6 + 0.065 * max(map(len, names))
    width, height = left + cell * size + 1.4, cell * size + bottom
    with drawing(path, width, height, title=title, note=note) as figure:
        axes = figure.subplots()
        mesh = _cells(axes, values, shares, inches=cell)
        places = np.arange(size) + 0.5
        axes.set_yticks(places, rows)
        axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set(xlabel="predicted genre", ylabel="true genre (tracks)", aspect="equal")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        percent, label = PercentFormatter(1, symbol=" %"), "share of the genre's tracks"
        bar = figure.colorbar(mesh, ax=axes, shrink=0.8, format=percent, label=label)
        bar.outline.set_visible(False)


def _cells(axes: Axes, values: np.ndarray, shares: np.ndarray, *, inches: float) -> QuadMesh:
    """Colour the cells by share and write the counts into them."""
    # A digit is about 0.75 of the letter size wide, and room is left for three at least.
    letters = min(9.0, 72 * inches / (0.75 * max(len(str(values.max())), 3)))
    for (row, column), count in np.ndenumerate(values):
        dark = "white" if shares[row, column] > 0.68 else "#1a1a1a"
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{count:d}",
            ha="center",
            va="center",
            fontsize=letters,
            fontweight="bold" if row == column else "normal",
            color=dark if count else "#767676",
        )
    # Vectors are sharp at any size, where an image would be blurred or large.
    return axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", lw=0.8)


def learning_curves(
    histories: Mapping[str, Mapping[str, pd.DataFrame]],
    path: str | Path,
    *,
    title: str,
    note: str = "",
    monitor: str = "val_loss",
) -> None:
    """Draw loss and accuracy by epoch of learners one below the other, on the same axes.

    `histories` are, by learner from top to bottom, its training histories by the names of their
    files; GenreflowError is raised if one lacks a column of `HISTORY` or has no epochs. Each is a
    thin line; the thick one is their mean, as far as all of them were trained (beyond, it would
    leap whenever one stops). The best epoch was chosen by the column `monitor`: its lowest value
    for a loss, its highest for an accuracy.
    """
    for name, frame in (pair for own in histories.values() for pair in own.items()):
        if frame.empty or not set(HISTORY) <= set(frame):
            raise GenreflowError(
                f"{name}: expected a training history of one epoch or more, with the columns "
                f"{', '.join(HISTORY)}. Remove it and run the workflow again."
            )
    alone = len(histories) == 1
    with drawing(path, 5.6, 0.9 + 2.1 * len(histories), title=title, note=note) as figure:
        panels = figure.subplots(len(histories), 2, sharex=True, sharey="col", squeeze=False)
        for row, (learner, own) in zip(panels, histories.items(), strict=True):
            frames = [frame.reset_index(drop=True) for frame in own.values()]
            for axes, measure in zip(row, ("loss", "accuracy"), strict=True):
                _curves(axes, frames, measure, _TRAINING, "training")
                _curves(axes, frames, f"val_{measure}", _VALIDATION, "validation")
                _mark_best(axes, frames, measure, monitor, named=alone)
                of_learner = textwrap.fill(f"{shortened(learner)}: {measure}", 26)
                axes.set_title(measure.capitalize() if alone else of_learner, fontsize=9)
                axes.grid(axis="y")
        for axes in panels[-1]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panels[0, 1].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        draw_legend(figure, panels.flat, ncols=2)


def _curves(axes: Axes, frames: list[pd.DataFrame], column: str, color: str, label: str) -> None:
    """Draw one column of every history thin, and their mean thick."""
    if all(frame[column].isna().all() for frame in frames):
        return
    style = {
        "color": color,
        # The lines can be told apart without colour as well.
        "linestyle": "--" if column.startswith("val_") else "-",
        # A line through a single epoch can't be seen.
        "marker": "o" if max(map(len, frames)) == 1 else "",
    }
    if len(frames) > 1:
        for frame in frames:
            axes.plot(frame["epoch"], frame[column], lw=0.7, alpha=0.45, **style)
        label = f"{label}, mean of {len(frames)} seeds"
    common = min(map(len, frames))
    mean = np.mean([frame[column].to_numpy()[:common] for frame in frames], axis=0)
    axes.plot(frames[0]["epoch"][:common], mean, lw=2, label=label, **style)


def _mark_best(
    axes: Axes, frames: list[pd.DataFrame], measure: str, monitor: str, *, named: bool
) -> None:
    """Mark the best epoch of each history on its curve; of a single one, name it if asked."""
    watched = [frame for frame in frames if frame[monitor].notna().any()]
    if not watched:
        return
    best = pd.DataFrame([frame.loc[best_row(frame[monitor], monitor)] for frame in watched])
    single = len(frames) == 1
    label = f"best epoch ({best['epoch'].iloc[0]:.0f})" if named else "best epoch"
    axes.scatter(
        best["epoch"],
        best[f"val_{measure}"].fillna(best[measure]),
        s=42 if single else 22,
        facecolor="white",
        edgecolor=INK,
        linewidth=1.1,
        zorder=5,
        label=label if single else "best epoch of each seed",
    )


def best_row(values: pd.Series, measure: str) -> int:
    """Return the label of the best value: the lowest of a loss, the highest of an accuracy."""
    return values.idxmin() if measure.endswith("loss") else values.idxmax()


def accuracy_intervals(
    table: pd.DataFrame, path: str | Path, *, title: str = "Test accuracy", note: str = ""
) -> None:
    """Draw the test accuracy of every learner with its 95 % interval, a panel for each split.

    `table` is what `evaluation.metrics.comparison` returned. Its published numbers, if any, are
    drawn too; learners that couldn't be made are not.
    """
    table = table[table["test_accuracy"].notna()]
    if table.empty:
        draw_reason(_NONE_MADE, path, title=title, note=note)
        return
    table = table.assign(label=list(map(_label, table.itertuples())))
    splits = dict(list(table.groupby("split", sort=False)))
    rows = [len(part) for part in splits.values()]
    width = 4.6 + 0.075 * table["label"].str.len().max()
    height = sum(0.27 * count + 0.55 for count in rows) + 0.7
    with drawing(path, width, height, title=title, note=note) as figure:
        ratios = [count + 1 for count in rows]
        panels = figure.subplots(len(rows), sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        for axes, (split, part) in zip(panels, splits.items(), strict=True):
            _intervals(axes, part)
            low, high = part["tracks"].min(), part["tracks"].max()
            count = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
            artists = part["groups"].max()
            of = "" if pd.isna(artists) else f" of {artists:.0f} artists"
            axes.set_title(f"{split}, {count} test tracks{of}")
        panels[-1].set_xlabel("test accuracy, with 95 % interval")
        panels[-1].xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        drawn = table.filter(["test_high", "published", "baseline"])
        panels[-1].set_xlim(0, min(1.02, drawn.max(axis=None) + 0.04))
        draw_legend(figure, panels, ncols=3)


def _label(row: Any) -> str:
    """Name a learner of the comparison, with its mark."""
    return f"{row.title} ({row.mark})" if isinstance(row.mark, str) and row.mark else row.title


def _intervals(axes: Axes, part: pd.DataFrame) -> None:
    """Draw the learners of one split, the highest on top."""
    places = np.arange(len(part))
    axes.hlines(places, part["test_low"], part["test_high"], color=COLORS[0], lw=2, alpha=0.6)
    axes.plot(part["test_accuracy"], places, "o", color=COLORS[0], ms=6, label="accuracy")
    if "published" in part and part["published"].notna().any():
        style = {"mfc": "none", "mec": COLORS[1], "ms": 7}
        axes.plot(part["published"], places, "D", label="published", **style)
    axes.axvline(part["baseline"].max(), color=_CHANCE, ls=":", lw=1.4, label="chance")
    list_shares(axes, part["label"].tolist(), part["test_accuracy"])


def calibration(
    table: pd.DataFrame, comparison: pd.DataFrame, path: str | Path, *, title: str, note: str = ""
) -> None:
    """Draw how often the best learner of each kind is right by how sure it is, a panel each.

    `table` and `comparison` are of one split, and what `evaluation.calibration.reliability` and
    `evaluation.metrics.comparison` returned.
    """
    best = best_of_kinds(comparison)
    if best.empty:
        draw_reason(_NONE_MADE, path, title=title, note=note)
        return
    names = {row.learner: textwrap.fill(_label(row), 22) for row in best.itertuples()}
    bins_of = dict(list(table.groupby("learner")))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    lines = 2 + max(name.count("\n") for name in names.values())
    size = max(1.7 * columns + 0.6, 4.0), rows * (1.45 + 0.13 * lines) + 0.7
    with drawing(path, *size, title=title, note=note) as figure:
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (learner, name) in zip(panels.flat, names.items(), strict=False):
            bins = bins_of[learner]
            _reliability(axes, bins)
            axes.set_title(f"{name}\nerror {100 * bins['error'].iloc[0]:.1f} %", fontsize=7.5)
        for axes in panels.flat[len(names) :]:
            axes.set_visible(False)
        # The lowest panel of a column has its numbers, also where the last row is short.
        for axes in panels.flat[max(len(names) - columns, 0) : len(names)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("largest probability")
        for axes in panels[:, 0]:
            axes.set_ylabel("accuracy")
        for axis in (panels[0, 0].xaxis, panels[0, 0].yaxis):
            axis.set_major_locator(MaxNLocator(2, steps=[5]))
            axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        draw_legend(figure, panels.flat, ncols=2)


def _reliability(axes: Axes, bins: pd.DataFrame) -> None:
    """Draw the bins of one learner; the area of a dot is its share of the predictions."""
    held = bins[bins["predictions"] > 0]
    axes.plot([0, 1], [0, 1], color=_CHANCE, ls=":", lw=1.2, label="as sure as right")
    axes.plot(held["confidence"], held["accuracy"], color=COLORS[0], lw=1)
    axes.scatter(
        held["confidence"],
        held["accuracy"],
        s=6 + 160 * held["predictions"] / held["predictions"].sum(),
        color=COLORS[0],
        alpha=0.75,
        lw=0,
        label="a bin; larger: more predictions",
    )
    axes.set(xlim=(0, 1.05), ylim=(-0.05, 1.05), aspect="equal")
    axes.grid()


def explained_variance(
    curves: Mapping[str, tuple[np.ndarray, Mapping[float, int]]],
    path: str | Path,
    *,
    title: str,
    note: str = "",
) -> None:
    """Draw the share of the variance that the first components explain.

    `curves` are, for each feature matrix, what `learners.pca.read_curve` returns: the cumulative
    share by number of components, and the number that each share asked for needs. Those are marked,
    and named in the legend.
    """
    labels = [
        textwrap.fill(f"{name}: {_sizes(*curve)}", 62, subsequent_indent="  ")
        for name, curve in curves.items()
    ]
    lines = sum(label.count("\n") + 1 for label in labels)
    with drawing(path, 5.6, 3.0 + 0.2 * lines, title=title, note=note) as figure:
        axes = figure.subplots()
        colored = cycler(color=COLORS) + cycler(marker=MARKERS)
        axes.set_prop_cycle(cycler(linestyle=("-", "--", "-.", ":")) * colored)
        for label, (cumulative, sizes) in zip(labels, curves.values(), strict=True):
            # At no more places than can be told apart.
            numbers = np.geomspace(1, len(cumulative), 200).round().astype(int)
            marked = sorted(sizes.values())
            numbers = np.union1d(numbers, np.array(marked, int))
            places = np.searchsorted(numbers, marked).tolist()
            axes.plot(numbers, cumulative[numbers - 1], markevery=places, label=label)
        for level in sorted({level for _, sizes in curves.values() for level in sizes}):
            axes.axhline(level, color=_CHANCE, ls=":", lw=0.8, zorder=0)
            write_beside(axes, level, f"{100 * level:.4g} %", fontsize=7.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="components", ylabel="share of the variance", ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.grid()
        draw_legend(figure, [axes], ncols=1)


def _sizes(cumulative: np.ndarray, sizes: Mapping[float, int]) -> str:
    """Say how many components each share needs: ``153 (90 %), 429 (95 %) of 4096 components``."""
    needed = ", ".join(f"{sizes[level]} ({100 * level:.4g} %)" for level in sorted(sizes))
    return f"{needed} of {len(cumulative)} components".lstrip()
