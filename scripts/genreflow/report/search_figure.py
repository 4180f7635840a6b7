"""The figure of a Hyperband search: its brackets, and the effect of each hyper-parameter."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from genreflow.errors import GenreflowError
from genreflow.report.drawing import COLORS, GREY, INK, MARKERS, draw_legend, drawing, shortened
from genreflow.report.figures import best_row

TRIALS = ("trial", "bracket", "round", "epochs", "score")
"""The columns of a search's trials, beside those of the hyper-parameters."""

LOGARITHMIC = ("learning_rate", "weight_decay")
"""Hyper-parameters that are drawn on a logarithmic axis, unless they have few values."""

_CALLED = {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}
_NO_PARAMETERS = (*TRIALS, "continues", "initial_epoch", "note")
_STEPS = (1, 2, 5, 10)
_CHOICES = 5  # values of a hyper-parameter that are drawn side by side, whatever their distance


def search(
    trials: pd.DataFrame,
    path: str | Path,
    *,
    title: str,
    note: str = "",
    objective: str = "val_accuracy",
) -> None:
    """Draw a Hyperband search: its brackets, the best trial, the effect of each hyper-parameter.

    There is a row per trial, with the columns `TRIALS` and one for each hyper-parameter;
    GenreflowError is raised if one is missing, or there is no score. A configuration that was
    promoted has a row for each round. Trials without a score (NaN) aren't drawn, but counted below
    the figure. The score is the `objective`: a loss is best where it is lowest, an accuracy where
    it is highest.
    """
    parameters = [column for column in trials if column not in _NO_PARAMETERS]
    if not set(TRIALS) <= set(trials) or not parameters or trials["score"].isna().all():
        raise GenreflowError(
            f"{title}: the trials can't be drawn: expected the columns {', '.join(TRIALS)}, one "
            f"for each hyper-parameter, and a score in one row at least; found the columns "
            f"{', '.join(trials) or 'none'} and {len(trials)} rows. Run the search again."
        )
    # Of equals, the one that was trained longest is best.
    scored = trials.dropna(subset="score").sort_values(
        "epochs", ascending=False, kind="stable", ignore_index=True
    )
    scored["marker size"] = 10 + 25 * scored["epochs"] / scored["epochs"].max()
    best = scored.loc[best_row(scored["score"], objective)]
    below = f"{_best_trial(best, parameters, objective)} {note}"
    if unscored := len(trials) - len(scored):
        below = f"{unscored} of {len(trials)} trials have no score. {below}"
    # A configuration is known by its values, for each of its rounds may have a trial of its own.
    by_values = scored.groupby(["bracket", *parameters], sort=False, dropna=False)
    configurations = [rows.sort_values("round") for _, rows in by_values]
    reached = [best_row(rows["score"], objective) for _, rows in by_values]
    columns = min(3, len(parameters))
    rows = -(-len(parameters) // columns)
    with drawing(path, 6.2, 4.1 + 1.75 * rows, title=title, note=below) as figure:
        above, under = figure.subfigures(2, 1, height_ratios=[2.9, 0.4 + 1.75 * rows])
        _head(above, "Trials by epochs trained; a line leads from a trial to its promotion")
        _score_axis(_brackets(above, scored, configurations, best), objective)
        _head(
            under, "The best score of every configuration by hyper-parameter; larger: more epochs"
        )
        panels = under.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, name in zip(panels.flat, parameters, strict=False):
            _effect(axes, scored.loc[reached], best, name)
        for axes in panels.flat[len(parameters) :]:
            axes.set_visible(False)
        for axes in panels[:, 0]:
            _score_axis(axes, objective)


def _head(figure: SubFigure, text: str) -> None:
    figure.suptitle(text, x=0.02, ha="left", fontsize=9, color=GREY)


def _best_trial(best: pd.Series, parameters: list[str], objective: str) -> str:
    """Name the best trial and its values."""
    score = f"{100 * best['score']:.1f} %" if "accuracy" in objective else f"{best['score']:.4g}"
    values = [f"{name}={_value(best[name])}" for name in parameters if pd.notna(best[name])]
    return (
        f"Best: trial {_value(best['trial'])} (bracket {_value(best['bracket'])}, "
        f"epochs {_value(best['epochs'])}, {objective} {score}): {', '.join(values)}."
    )


def _value(value: object) -> str:
    """Write a value of a hyper-parameter."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return f"{value:.0f}" if value == int(value) else f"{value:.3g}"
    return shortened(str(value))


def _brackets(
    figure: SubFigure, scored: pd.DataFrame, configurations: list[pd.DataFrame], best: pd.Series
) -> Axes:
    """Draw the score of every trial, a panel per bracket, its rounds from left to right."""
    # Hyperband runs the bracket with most rounds first, which has the highest number.
    rounds = scored.groupby("bracket")["round"].nunique().sort_index(ascending=False)
    panels = figure.subplots(
        1, len(rounds), sharey=True, squeeze=False, width_ratios=rounds.to_numpy() + 1
    )[0]
    of_bracket = dict(zip(rounds.index, panels, strict=True))
    places = scored.groupby("bracket")["round"].rank("dense") - 1
    places = _apart(places, scored["bracket"])
    for rows in configurations:
        if len(rows) > 1:
            axes = of_bracket[rows["bracket"].iloc[0]]
            axes.plot(places[rows.index], rows["score"], color=GREY, lw=0.7, zorder=1)
    for bracket, own in scored.groupby("bracket"):
        axes = of_bracket[bracket]
        _dots(axes, places[own.index], own)
        epochs = own.groupby("round")["epochs"].max()
        axes.set_xticks(range(len(epochs)), epochs.astype(str))
        axes.set_xlim(-0.6, len(epochs) - 0.4)
        axes.set_title(
            f"bracket\n{bracket}" if len(rounds) > 3 else f"bracket {bracket}", fontsize=9
        )
    _star(of_bracket[best["bracket"]], places, best)
    panels[0].set_xlabel("epochs", loc="left")
    draw_legend(figure, panels, ncols=len(panels) + 1)
    return panels[0]


def _apart(places: pd.Series, *by: pd.Series) -> pd.Series:
    """Put trials side by side that would lie on each other."""

    def spread(own: pd.Series) -> pd.Series:
        reach = min(0.3, 0.06 * (len(own) - 1))
        return own + np.linspace(-reach, reach, len(own))

    return places.groupby([*by, places]).transform(spread)


def _dots(axes: Axes, places: pd.Series, trials: pd.DataFrame) -> None:
    """Draw trials, each bracket in a colour and a shape of its own."""
    axes.grid(axis="y")
    for (bracket, size), own in trials.groupby(["bracket", "marker size"]):
        number = int(bracket) % len(COLORS)
        style = {"color": COLORS[number], "marker": MARKERS[number], "alpha": 0.75, "lw": 0}
        axes.scatter(places[own.index], own["score"], s=size, label=f"bracket {bracket}", **style)


def _star(axes: Axes, places: pd.Series, best: pd.Series) -> None:
    """Mark the best trial."""
    style = {"s": 130, "marker": "*", "color": "#F0E442", "edgecolor": INK, "lw": 0.8}
    axes.scatter(places[best.name], best["score"], zorder=5, label="best trial", **style)


def _score_axis(axes: Axes, objective: str) -> None:
    axes.set_ylabel(_CALLED.get(objective, objective))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    if "accuracy" in objective:
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _effect(axes: Axes, trials: pd.DataFrame, best: pd.Series, name: str) -> None:
    """Draw the score of configurations by one hyper-parameter, which some may not have."""
    given = trials.dropna(subset=name)
    places, choices = given[name], sorted(given[name].unique())
    if len(choices) <= _CHOICES or not pd.api.types.is_numeric_dtype(places):
        places = _apart(places.map(choices.index).astype(float))
        labels = [_value(choice) for choice in choices]
        turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(choices)), labels, **turned if len(" ".join(labels)) > 22 else {})
        axes.set_xlim(-0.6, len(choices) - 0.4)
    elif name in LOGARITHMIC and choices[0] > 0:
        low, high = np.log10([choices[0], choices[-1]])
        axes.set_xscale("log")
        axes.set_xlim(10 ** (np.floor(low) - 0.1), 10 ** (np.ceil(high) + 0.1))
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_major_formatter(lambda value, _: f"1e{np.log10(value):.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    _dots(axes, places, given)
    axes.set_title(shortened(name), fontsize=9)
    axes.margins(y=0.1)
    if best.name in places.index:
        _star(axes, places, best)
