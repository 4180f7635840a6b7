"""Figures of the evaluation, as SVG.

Text stays text: files are small, can be searched and read aloud, and each browser takes its
own sans-serif. The layout is measured with DejaVu Sans, which is wider than most, so that
nothing gets cut. The same numbers give the same bytes.
"""

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from genreflow.errors import GenreflowError
from genreflow.runtime.files import atomic

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
"""The columns of a training history, one row an epoch."""

TRIALS = ("trial", "bracket", "round", "epochs", "score")
"""The columns of a search's trials, beside those of the hyper-parameters."""

LOGARITHMIC = ("learning_rate", "weight_decay")
"""Hyper-parameters that are drawn on a logarithmic axis, unless they have few values."""

# Okabe and Ito's colours, told apart with every kind of colour vision.
_TRAINING, _VALIDATION, _DOT, _CHANCE = "#0072B2", "#D55E00", "#0072B2", "#555555"
_SERIES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#56B4E9", "v"),
    ("#E69F00", "P"),
    ("#000000", "X"),
)
_LONGEST_NAME = 32
_STEPS = (1, 2, 5, 10)
_CHOICES = 5  # values of a hyper-parameter that are drawn side by side, whatever their distance

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Opaque, so that dark text stays readable on a dark page.
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "svg.fonttype": "none",
    "svg.hashsalt": "genreflow",
    # A genre named "$" is no formula.
    "text.parse_math": False,
}


@contextmanager
def drawing(
    path: str | Path, width: float, height: float, *, title: str, note: str
) -> Iterator[SubFigure]:
    """Give a figure to draw in and write it to `path` when the block ends.

    Parameters
    ----------
    path
        The SVG to write.
    width, height
        [inches]. Title and note take room of their own above and below, so that no label runs
        into them.
    title
        Above the figure.
    note
        In small letters below it.

    Yields
    ------
    matplotlib.figure.SubFigure
    """
    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}), warnings.catch_warnings():
        # The reader's browser has the letters that the measuring font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        above = textwrap.wrap(title, int(width * 10))
        below = textwrap.wrap(note, int(width * 14))
        head, foot = 0.2 * len(above), 0.1 + 0.15 * len(below)
        figure = Figure(figsize=(width, head + height + foot), layout="constrained")
        FigureCanvasSVG(figure)
        body, footer = figure.subfigures(2, 1, height_ratios=[head + height, foot])
        body.suptitle("\n".join(above), x=0.02, ha="left", fontsize=11, fontweight="bold")
        footer.text(0.02, 1, "\n".join(below), va="top", fontsize=7.5, color="#444444")
        yield body
        _lay_out(figure)
        with atomic(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None, "Title": title})


def _lay_out(figure: Figure) -> None:
    """Give everything its final place, to a millionth of the size.

    The last digits of the layout's solver vary from call to call, and get into the file.
    """
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    parts = list(figure.subfigs)
    for part in parts:
        part.bbox_relative.set(Bbox(part.bbox_relative.get_points().round(6)))
        parts.extend(part.subfigs)
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(6)))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def reason(said: str, path: str | Path, *, title: str, note: str = "") -> None:
    """Draw nothing but why there is nothing to draw.

    Parameters
    ----------
    said
        The reason.
    path
        The SVG to write.
    title, note
        Above and below it.
    """
    lines = textwrap.wrap(said, 76)
    with drawing(path, 6.0, 0.4 + 0.17 * len(lines), title=title, note=note) as figure:
        figure.text(0.02, 0.5, "\n".join(lines), va="center", fontsize=9, color="#444444")


def confusion_matrix(counts: pd.DataFrame, path: str | Path, *, title: str, note: str = "") -> None:
    """Draw which genres are taken for which.

    Parameters
    ----------
    counts
        Shape (genres, genres), int: tracks, genre down, predicted across, as
        `evaluate.confusion` returns them.
    path
        The SVG to write.
    title
        Above the figure.
    note
        In small letters below it, for example that the corpus is synthetic.

    Raises
    ------
    ValueError
        If rows and columns aren't the same genres in the same order.
    """
    if list(counts.index) != list(counts.columns):
        raise ValueError("rows and columns of a confusion matrix must be the same genres")
    values = counts.to_numpy()
    totals = values.sum(axis=1)
    shares = values / np.maximum(totals, 1)[:, np.newaxis]
    names = [_short(str(name)) for name in counts.index]
    size = len(names)
    cell = max(0.62 if size <= 10 else 0.42, 2.2 / size)
    side = cell * size
    rows = [f"{name} ({total})" for name, total in zip(names, totals, strict=True)]
    left = 0.6 + 0.085 * max(len(row) for row in rows)
    bottom = 0.6 + 0.065 * max(len(name) for name in names)
    with drawing(path, left + side + 1.4, side + bottom, title=title, note=note) as figure:
        axes = figure.subplots()
        mesh = _cells(axes, values, shares, inches=cell)
        places = np.arange(size) + 0.5
        axes.set_yticks(places, rows)
        axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set(xlabel="predicted", ylabel="genre (tracks)", aspect="equal")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(
            mesh,
            ax=axes,
            shrink=0.8,
            format=PercentFormatter(1),
            label="share of the genre's tracks",
        )
        bar.outline.set_visible(False)


def _cells(axes: Axes, values: np.ndarray, shares: np.ndarray, *, inches: float) -> QuadMesh:
    """Colour the cells by share and write the counts into them."""
    # A digit is about 0.75 of the letter size wide, and room is left for three at least.
    letters = min(9.0, 72 * inches / (0.75 * max(len(str(values.max())), 3)))
    for row, column in np.ndindex(values.shape):
        count = values[row, column]
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{count:d}",
            ha="center",
            va="center",
            fontsize=letters,
            fontweight="bold" if row == column else "normal",
            color=_ink(shares[row, column], empty=count == 0),
        )
    # Vectors are sharp at any size, where an image would be blurred or large.
    return axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", lw=0.8)


def _ink(share: float, *, empty: bool) -> str:
    """Return a text colour that can be read on a cell of this share."""
    if empty:
        return "#767676"
    return "white" if share > 0.68 else "#1a1a1a"


def learning_curves(
    history: pd.DataFrame | Mapping[int, pd.DataFrame],
    path: str | Path,
    *,
    title: str,
    note: str = "",
    monitor: str = "val_loss",
) -> None:
    """Draw loss and accuracy by epoch, on training and validation.

    Parameters
    ----------
    history
        A training history with the columns `HISTORY`, or one a seed. Each seed is a thin
        line; the thick one is their mean, as far as all of them were trained (beyond, it
        would leap whenever one stops).
    path
        The SVG to write.
    title
        Above the figure.
    note
        In small letters below it.
    monitor
        The column (of `HISTORY`) by which the best epoch was chosen: its lowest
        value for a loss, its highest for an accuracy.

    Raises
    ------
    GenreflowError
        If a history lacks a column or has no epochs.
    """
    learning_curve_pairs({"": history}, path, title=title, note=note, monitor=monitor)


def learning_curve_pairs(
    histories: Mapping[str, pd.DataFrame | Mapping[int, pd.DataFrame]],
    path: str | Path,
    *,
    title: str,
    note: str = "",
    monitor: str = "val_loss",
) -> None:
    """Draw the learning curves of several learners one below the other, on the same axes.

    Parameters
    ----------
    histories
        What `learning_curves` takes for each learner, from top to bottom.
    path, title, note, monitor
        As there.

    Raises
    ------
    GenreflowError
        As there.
    """
    frames = {
        learner: _histories(history, " of ".join(filter(None, (title, learner))))
        for learner, history in histories.items()
    }
    rows = len(frames)
    with drawing(path, 8.0, 0.9 + 2.4 * rows, title=title, note=note) as figure:
        panels = figure.subplots(rows, 2, sharex=True, sharey="col", squeeze=False)
        for row, (learner, own) in zip(panels, frames.items(), strict=True):
            best = [_best_row(frame[monitor], monitor) for frame in own]
            for axes, measure in zip(row, ("loss", "accuracy"), strict=True):
                _curves(axes, own, measure, _TRAINING, "training")
                _curves(axes, own, f"val_{measure}", _VALIDATION, "validation")
                _mark_best(axes, own, best, measure, name=rows == 1)
                axes.set_title(f"{_short(learner)}: {measure}" if learner else measure.capitalize())
                axes.grid(axis="y", color="#dddddd", lw=0.6)
        for axes in panels[-1]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panels[0, 1].yaxis.set_major_formatter(PercentFormatter(1))
        _legend(figure, panels.flat, ncols=4)


def _histories(history: pd.DataFrame | Mapping[int, pd.DataFrame], whose: str) -> list:
    """Return the histories of all seeds of a learner, each of them found to be one."""
    histories = {None: history} if isinstance(history, pd.DataFrame) else history
    for seed, frame in histories.items():
        missing = [column for column in HISTORY if column not in frame]
        if missing or frame.empty:
            what = (
                f"the columns {', '.join(missing)} are missing" if missing else "it has no epochs"
            )
            raise GenreflowError(
                f"{whose}: the training history of seed {seed} can't be drawn: {what}. "
                "Train the network again."
            )
    return [frame.reset_index(drop=True) for frame in histories.values()]


def _legend(figure: SubFigure, panels: Iterable[Axes], *, ncols: int) -> None:
    """Put one legend below all panels, where it can't hide a curve.

    Not every panel has all there is: a published number may be there for one split only.
    """
    entries = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    # What is best may be in any panel, and comes last.
    labels = sorted(entries, key=lambda label: label.startswith("best"))
    handles = [entries[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols, frameon=False)


def _best_row(values: pd.Series, measure: str) -> int | None:
    """Return where a measure is best, None where there is none."""
    values = values.dropna()
    if values.empty:
        return None
    return values.idxmin() if measure.endswith("loss") else values.idxmax()


def _curves(axes: Axes, frames: list[pd.DataFrame], column: str, color: str, label: str) -> None:
    """Draw one column of every seed thin, and their mean thick."""
    if all(frame[column].isna().all() for frame in frames):
        return
    style = {
        "color": color,
        # The lines can be told apart without colour as well.
        "linestyle": "--" if column.startswith("val_") else "-",
        # A line through a single epoch can't be seen.
        "marker": "o" if max(len(frame) for frame in frames) == 1 else "",
    }
    if len(frames) > 1:
        for frame in frames:
            axes.plot(frame["epoch"], frame[column], lw=0.7, alpha=0.45, **style)
        label = f"{label}, mean of {len(frames)} seeds"
    common = min(len(frame) for frame in frames)
    mean = np.mean([frame[column].to_numpy()[:common] for frame in frames], axis=0)
    axes.plot(frames[0]["epoch"].to_numpy()[:common], mean, lw=2, label=label, **style)


def _mark_best(
    axes: Axes, frames: list[pd.DataFrame], best: list[int | None], measure: str, *, name: bool
) -> None:
    """Mark the best epoch of each seed on its curve; of a single seed, name it if asked."""
    found = [
        (frame.loc[row], row) for frame, row in zip(frames, best, strict=True) if row is not None
    ]
    if not found:
        return
    rows = [row for row, _ in found]
    column = f"val_{measure}" if not np.isnan(rows[0][f"val_{measure}"]) else measure
    single = len(frames) == 1
    if single:
        label = f"best epoch ({int(rows[0]['epoch'])})" if name else "best epoch"
    else:
        label = "best epoch of each seed"
    axes.scatter(
        [row["epoch"] for row in rows],
        [row[column] for row in rows],
        s=42 if single else 22,
        facecolor="white",
        edgecolor="black",
        linewidth=1.1,
        zorder=5,
        label=label,
    )


def accuracy_intervals(
    table: pd.DataFrame, path: str | Path, *, title: str = "Test accuracy", note: str = ""
) -> None:
    """Draw the test accuracy of every learner with its 95 % interval, a panel for each split.

    Parameters
    ----------
    table
        What `evaluate.comparison` returned. Its published numbers, if any, are drawn too; learners
        that couldn't be made are not.
    path
        The SVG to write.
    title
        Above the figure.
    note
        In small letters below it.
    """
    table = table[table["test_accuracy"].notna()]
    if table.empty:
        reason("No learner could be made; the table says why.", path, title=title, note=note)
        return
    splits = list(table.groupby("split", sort=False))
    rows = [len(part) for _, part in splits]
    names = max(len(name) for name in table["learner"])
    height = sum(0.27 * count + 0.55 for count in rows) + 0.7
    with drawing(path, 4.6 + 0.075 * names, height, title=title, note=note) as figure:
        panels = figure.subplots(
            len(splits), 1, sharex=True, squeeze=False, height_ratios=[n + 1 for n in rows]
        )[:, 0]
        for axes, (split, part) in zip(panels, splits, strict=True):
            _intervals(axes, part)
            low, high = part["tracks"].min(), part["tracks"].max()
            count = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
            axes.set_title(f"{split}, {count} test tracks")
        panels[-1].set_xlabel("test accuracy, with 95 % interval")
        panels[-1].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        drawn = table.filter(["test_high", "published", "baseline"])
        panels[-1].set_xlim(0, min(1.02, drawn.max(axis=None) + 0.04))
        _legend(figure, panels, ncols=3)


def _intervals(axes: Axes, part: pd.DataFrame) -> None:
    """Draw the learners of one split, the highest on top."""
    places = np.arange(len(part))
    axes.hlines(places, part["test_low"], part["test_high"], color=_DOT, lw=2, alpha=0.6)
    axes.plot(part["test_accuracy"], places, "o", color=_DOT, ms=6, label="accuracy")
    if "published" in part and part["published"].notna().any():
        axes.plot(
            part["published"], places, "D", mfc="none", mec=_VALIDATION, ms=7, label="published"
        )
    axes.axvline(part["baseline"].max(), color=_CHANCE, ls=":", lw=1.4, label="chance")
    axes.set_yticks(places, part["learner"])
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    # The numbers stand outside, where no interval can cross them.
    for place, accuracy in zip(places, part["test_accuracy"], strict=True):
        axes.annotate(
            f"{100 * accuracy:.1f}",
            (1.01, place),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            annotation_clip=False,
        )


def calibration(
    table: pd.DataFrame, path: str | Path, *, title: str = "Calibration", note: str = ""
) -> None:
    """Draw how often each learner is right by how sure it is, a panel a learner.

    Parameters
    ----------
    table
        What `evaluation.calibration.reliability` returned, of one split. The panels stand in its
        order.
    path
        The SVG to write.
    title
        Above the figure.
    note
        In small letters below it.

    Raises
    ------
    ValueError
        If there are no learners, or more than one split.
    """
    if len(table["split"].unique()) != 1:
        raise ValueError("a figure of the calibration takes the table of one split")
    learners = list(table.groupby("learner", sort=False))
    names = [_wrapped(name, 26) for name, _ in learners]
    columns = min(4, len(learners))
    rows = -(-len(learners) // columns)
    lines = 2 + max(name.count("\n") for name in names)
    height = rows * (1.75 + 0.13 * lines) + 0.7
    width = max(2.05 * columns + 0.6, 4.0)
    with drawing(path, width, height, title=title, note=note) as figure:
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, name, (_, bins) in zip(panels.flat, names, learners, strict=False):
            _reliability(axes, bins)
            axes.set_title(f"{name}\nerror {100 * bins['error'].iloc[0]:.1f} %", fontsize=7.5)
        for axes in panels.flat[len(learners) :]:
            axes.set_visible(False)
        # The lowest panel of a column has its numbers, also where the last row is short.
        for axes in panels.flat[max(len(learners) - columns, 0) : len(learners)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("largest probability")
        for axes in panels[:, 0]:
            axes.set_ylabel("accuracy")
        for axis in (panels[0, 0].xaxis, panels[0, 0].yaxis):
            axis.set_major_locator(MaxNLocator(2, steps=[5]))
            axis.set_major_formatter(PercentFormatter(1))
        _legend(figure, panels.flat, ncols=2)


def _wrapped(name: str, width: int) -> str:
    """Break a learner's name into lines, after a slash where there is one."""
    lines = textwrap.wrap(name.replace("/", "/ "), width, break_on_hyphens=False)
    return "\n".join(line.replace("/ ", "/") for line in lines)


def _reliability(axes: Axes, bins: pd.DataFrame) -> None:
    """Draw the bins of one learner; the area of a dot is its share of the predictions."""
    held = bins[bins["predictions"] > 0]
    axes.plot([0, 1], [0, 1], color=_CHANCE, ls=":", lw=1.2, label="as sure as right")
    axes.plot(held["confidence"], held["accuracy"], color=_DOT, lw=1)
    axes.scatter(
        held["confidence"],
        held["accuracy"],
        s=6 + 160 * held["predictions"] / held["predictions"].sum(),
        color=_DOT,
        alpha=0.75,
        lw=0,
        label="a bin; larger: more predictions",
    )
    axes.set(xlim=(0, 1.05), ylim=(-0.05, 1.05), aspect="equal")
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)


def explained_variance(
    curves: Mapping[str, tuple[np.ndarray, Mapping[float, int]]],
    path: str | Path,
    *,
    title: str,
    note: str = "",
) -> None:
    """Draw the share of the variance that the first components explain.

    Parameters
    ----------
    curves
        For each feature matrix the cumulative share by number of components, (m,) float64, and the
        number of components that each share asked for needs, as `learners.pca.read_curve`
        returns them. Those are marked, and named in the legend.
    path
        The SVG to write.
    title
        Above the figure.
    note
        In small letters below it.

    Raises
    ------
    ValueError
        If there are no curves.
    """
    if not curves:
        raise ValueError("there are no explained variances to draw")
    labels = [f"{name}: {_sizes(*curve)}" for name, curve in curves.items()]
    width = max(7.0, 1.0 + 0.075 * max(map(len, labels)))
    with drawing(path, width, 3.4 + 0.2 * len(curves), title=title, note=note) as figure:
        axes = figure.subplots()
        for place, (label, curve) in enumerate(zip(labels, curves.values(), strict=True)):
            _explained(axes, *curve, label=label, place=place)
        levels = sorted({level for _, sizes in curves.values() for level in sizes})
        for level in levels:
            axes.axhline(level, color=_CHANCE, ls=":", lw=0.8, zorder=0)
            axes.annotate(
                f"{level:.4g}",
                (1.01, level),
                xycoords=axes.get_yaxis_transform(),
                va="center",
                fontsize=7.5,
                annotation_clip=False,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="components", ylabel="share of the variance", ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="both", color="#dddddd", lw=0.6)
        _legend(figure, [axes], ncols=1)


def _sizes(cumulative: np.ndarray, sizes: Mapping[float, int]) -> str:
    """Say how many components each share needs: ``153 (90 %), 429 (95 %) of 4096 components``."""
    needed = ", ".join(f"{sizes[level]} ({100 * level:.4g} %)" for level in sorted(sizes))
    return f"{needed} of {len(cumulative)} components".lstrip()


def _explained(
    axes: Axes, cumulative: np.ndarray, sizes: Mapping[float, int], *, label: str, place: int
) -> None:
    """Draw one curve, at no more places than can be told apart, and mark its sizes."""
    color, marker = _SERIES[place % len(_SERIES)]
    style = ("-", "--", "-.", ":")[place // len(_SERIES) % 4]
    count = len(cumulative)
    numbers = np.unique(np.geomspace(1, count, 200).round().astype(int))
    marked = sorted(sizes.values())
    numbers = np.union1d(numbers, marked).astype(int)
    axes.plot(
        numbers,
        cumulative[numbers - 1],
        ls=style,
        color=color,
        marker=marker,
        markevery=np.searchsorted(numbers, marked).tolist(),
        label=label,
    )


def search(
    trials: pd.DataFrame,
    path: str | Path,
    *,
    title: str,
    note: str = "",
    objective: str = "val_accuracy",
) -> None:
    """Draw a Hyperband search: its brackets, the best trial, the effect of each hyper-parameter.

    Parameters
    ----------
    trials
        One row a trial, with the columns `TRIALS` and one for each hyper-parameter; continues
        and initial_epoch may be there and aren't used. A configuration that was promoted has a
        row for each round. Trials without a score (NaN) aren't drawn, but counted below the
        figure.
    path
        The SVG to write.
    title
        Above the figure.
    note
        In small letters below it, after the best trial.
    objective
        The column (of `HISTORY`) that is the score: a loss is best where it is lowest, an
        accuracy where it is highest.

    Raises
    ------
    GenreflowError
        If there is no score, a column is missing, or there are no hyper-parameters.
    """
    parameters = [
        column for column in trials if column not in (*TRIALS, "continues", "initial_epoch")
    ]
    missing = set(TRIALS) - set(trials)
    if missing or not parameters or trials["score"].isna().all():
        raise GenreflowError(
            f"{title}: the trials can't be drawn: expected the columns {', '.join(TRIALS)}, one "
            f"for each hyper-parameter, and a score in one row at least; found the columns "
            f"{', '.join(trials) or 'none'} and {len(trials)} rows. Run the search again."
        )
    scored = trials.dropna(subset="score").reset_index(drop=True)
    scored["marker size"] = 10 + 25 * scored["epochs"] / scored["epochs"].max()
    # Of equals, the one that was trained longest.
    ranked = scored.sort_values("epochs", ascending=False, kind="stable")
    best = scored.loc[_best_row(ranked["score"], objective)]
    below = f"{_best_trial(best, parameters, objective)} {note}"
    if unscored := len(trials) - len(scored):
        below = f"{unscored} of {len(trials)} trials have no score. {below}"
    # A configuration is known by its values, for each of its rounds may have a trial of its own.
    keys = {"by": ["bracket", *parameters], "sort": False, "dropna": False}
    configurations = [rows.sort_values("round") for _, rows in scored.groupby(**keys)]
    reached = [_best_row(rows["score"], objective) for _, rows in ranked.groupby(**keys)]
    columns = min(4, len(parameters))
    rows = -(-len(parameters) // columns)
    with drawing(path, 8.4, 4.1 + 1.75 * rows, title=title, note=below) as figure:
        above, under = figure.subfigures(2, 1, height_ratios=[2.9, 0.4 + 1.75 * rows])
        _heading(above, "Trials by epochs trained; a line leads from a trial to its promotion")
        _brackets(above, scored, configurations, best, objective)
        _heading(
            under, "The best score of every configuration by hyper-parameter; larger: more epochs"
        )
        panels = under.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, name in zip(panels.flat, parameters, strict=False):
            _effect(axes, scored.loc[reached], best, name)
        for axes in panels.flat[len(parameters) :]:
            axes.set_visible(False)
        for axes in panels[:, 0]:
            _score_axis(axes, objective)


def _heading(figure: SubFigure, text: str) -> None:
    figure.suptitle(text, x=0.02, ha="left", fontsize=9, color="#444444")


def _best_trial(best: pd.Series, parameters: list[str], objective: str) -> str:
    score = f"{100 * best['score']:.1f} %" if "accuracy" in objective else f"{best['score']:.4g}"
    values = ", ".join(
        f"{name}={_value(best[name])}" for name in parameters if pd.notna(best[name])
    )
    return (
        f"Best: trial {_value(best['trial'])} (bracket {_value(best['bracket'])}, "
        f"epochs {_value(best['epochs'])}, {objective} {score}): {values}."
    )


def _value(value: object) -> str:
    """Write a value of a hyper-parameter."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return f"{value:.0f}" if value == int(value) else f"{value:.3g}"
    return _short(str(value))


def _brackets(
    figure: SubFigure,
    scored: pd.DataFrame,
    configurations: list[pd.DataFrame],
    best: pd.Series,
    objective: str,
) -> None:
    """Draw the score of every trial, a panel a bracket, its rounds from left to right."""
    # Hyperband runs the bracket with most rounds first, which has the highest number.
    brackets = sorted(scored["bracket"].unique(), reverse=True)
    rounds = [sorted(scored.loc[scored["bracket"] == own, "round"].unique()) for own in brackets]
    panels = figure.subplots(
        1, len(brackets), sharey=True, squeeze=False, width_ratios=[len(own) + 1 for own in rounds]
    )[0]
    place = pd.Series(0.0, index=scored.index)
    for axes, bracket, numbers in zip(panels, brackets, rounds, strict=True):
        own = scored[scored["bracket"] == bracket]
        for position, number in enumerate(numbers):
            group = own[own["round"] == number]
            place[group.index] = position + _spread_out(len(group))
        for rows in configurations:
            if len(rows) > 1 and rows["bracket"].iloc[0] == bracket:
                axes.plot(place[rows.index], rows["score"], color="#999999", lw=0.7, zorder=1)
        _dots(axes, place[own.index], own)
        epochs = own.groupby("round")["epochs"].max()
        axes.set_xticks(range(len(numbers)), [str(epochs[number]) for number in numbers])
        axes.set_xlim(-0.6, len(numbers) - 0.4)
        # The leftmost panel is the widest; the others may have room for a number only.
        axes.set_title(f"bracket {bracket}" if axes is panels[0] else str(bracket), fontsize=9)
        if bracket == best["bracket"]:
            _star(axes, place[best.name], best["score"])
    panels[0].set_xlabel("epochs", loc="left")
    _score_axis(panels[0], objective)
    _legend(figure, panels, ncols=len(panels) + 1)


def _spread_out(count: int) -> np.ndarray:
    """Return places beside each other for trials that would lie on each other."""
    reach = min(0.3, 0.06 * (count - 1))
    return np.linspace(-reach, reach, count)


def _dots(axes: Axes, places: pd.Series, trials: pd.DataFrame) -> None:
    """Draw trials, each bracket in a colour and a shape of its own."""
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    for (bracket, size), own in trials.groupby(["bracket", "marker size"]):
        color, marker = _SERIES[int(bracket) % len(_SERIES)]
        style = {"color": color, "marker": marker, "alpha": 0.75, "lw": 0, "s": size}
        axes.scatter(places[own.index], own["score"], label=f"bracket {bracket}", **style)


def _star(axes: Axes, x: float, y: float) -> None:
    """Mark the best trial."""
    style = {"s": 130, "marker": "*", "color": "#F0E442", "edgecolor": "black", "lw": 0.8}
    axes.margins(y=0.1)
    axes.scatter([x], [y], zorder=5, label="best trial", **style)


def _score_axis(axes: Axes, objective: str) -> None:
    axes.set_ylabel(objective)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    if "accuracy" in objective:
        axes.yaxis.set_major_formatter(PercentFormatter(1))


def _effect(axes: Axes, trials: pd.DataFrame, best: pd.Series, name: str) -> None:
    """Draw the score of configurations by one hyper-parameter, which some may not have."""
    given = trials.dropna(subset=name)
    values = given[name]
    choices = sorted(values.unique())
    if len(choices) <= _CHOICES or not pd.api.types.is_numeric_dtype(values):
        places = values.map(choices.index).astype(float)
        for _, own in places.groupby(places):
            places[own.index] += _spread_out(len(own))
        labels = [_value(choice) for choice in choices]
        turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(choices)), labels, **turned if len(" ".join(labels)) > 22 else {})
        axes.set_xlim(-0.6, len(choices) - 0.4)
    else:
        places = values
        if name in LOGARITHMIC and choices[0] > 0:
            low, high = np.log10([choices[0], choices[-1]])
            axes.set_xscale("log")
            axes.set_xlim(10 ** (np.floor(low) - 0.1), 10 ** (np.ceil(high) + 0.1))
            axes.xaxis.set_major_locator(LogLocator(numticks=5))
            axes.xaxis.set_major_formatter(lambda value, _: f"1e{np.log10(value):.0f}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    _dots(axes, places, given)
    axes.set_title(_short(name), fontsize=9)
    if best.name in places.index:
        _star(axes, places[best.name], best["score"])
