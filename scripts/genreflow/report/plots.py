"""Plots that the page draws itself, as places in percent: readable at any width, dark or light."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genreflow.evaluation.ranking import best_of_kinds

COLORS, SHAPES = 6, 7
"""Each group has one of so many colours and one of so many shapes, as the style has them."""

_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Point:
    """A point of a plot, from the left and from below [%].

    `group` is its place among the plot's groups, `said` what it is in words, `link` where it leads
    in the page, and `track` the track that it shows; "" for none.
    """

    x: float
    y: float
    group: int
    said: str
    link: str = ""
    track: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot: its points, the groups that they belong to, its axes, and what it shows.

    Ticks are places [%] and what stands at them; `groups` is what the colours and shapes stand for,
    and `said` what can be read from the plot, in words. The points of a group may be `joined` by a
    line.
    """

    title: str
    x_label: str
    y_label: str
    points: Sequence[Point]
    groups: Sequence[str]
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    said: str = ""
    joined: bool = False

    @property
    def looks(self) -> list[str]:
        """The look of each group."""
        return [f"c{place % COLORS} s{place % SHAPES}" for place in range(len(self.groups))]

    @property
    def lines(self) -> list[str]:
        """The paths that join the points of each group, in an SVG of 100 x 100."""
        if not self.joined:
            return []
        places = defaultdict(list)
        for point in self.points:
            places[point.group].append(f"{point.x} {100 - point.y:.2f}")
        return [f"M{' L'.join(places[group])}" for group in sorted(places)]


@dataclass(frozen=True)
class Reliability:
    """How often the learner of a row of the comparison is right by how sure it is.

    `error` is its expected calibration error; `bins` are confidence and accuracy of each bin that
    holds predictions, and its share of them [%].
    """

    row: Any
    error: float
    bins: Sequence[tuple[float, float, float]]

    @property
    def said(self) -> str:
        """What is drawn, in words."""
        pairs = [f"right {up:.0f} % where {left:.0f} % sure" for left, up, _ in self.bins]
        return f"{self.row.title}: {', '.join(pairs)}"


def reliability(rows: pd.DataFrame, table: pd.DataFrame) -> list[Reliability]:
    """Lay out the calibration of the best learner of each kind.

    `rows` of the comparison and `table`, of `evaluation.calibration.reliability`, are of one split.
    """
    drawn = []
    for row in best_of_kinds(rows).itertuples():
        own = table[(table["learner"] == row.learner) & (table["predictions"] > 0)]
        shares = own["predictions"] / own["predictions"].sum()
        places = zip(own["confidence"], own["accuracy"], shares, strict=True)
        bins = [tuple(round(100 * float(value), 1) for value in place) for place in places]
        drawn.append(Reliability(row, float(own["error"].iloc[0]), bins))
    return drawn


def costs(rows: pd.DataFrame, links: Sequence[str]) -> Plot | None:
    """Plot the test accuracy of learners against the time that they take for a clip.

    `rows` are the learners of one split that were made, as the comparison has them, and `links`
    where each leads in the page. None where fewer than two were timed.
    """
    rows = rows.assign(link=list(links))
    rows = rows[rows["latency_seconds"].notna()]
    if len(rows) < 2:
        return None
    times = 1000 * rows["latency_seconds"].astype(float)
    low, high = np.log10([times.min() / 1.3, times.max() * 1.3])
    groups = list(dict.fromkeys(rows["kind"]))
    x = 100 * (np.log10(times) - low) / (high - low)
    bottom, top = _bounds(rows["test_accuracy"])
    y = 100 * (rows["test_accuracy"] - bottom) / (top - bottom)
    points = [
        Point(
            round(left, 2),
            round(up, 2),
            groups.index(row.kind),
            f"{row.title}: {100 * row.test_accuracy:.1f} %, {milliseconds:.0f} ms",
            link=row.link,
        )
        for row, left, up, milliseconds in zip(rows.itertuples(), x, y, times, strict=True)
    ]
    return Plot(
        "Test accuracy and time per clip",
        "time per clip, ms (logarithmic)",
        "test accuracy",
        points,
        groups,
        [
            (round(100 * (np.log10(t) - low) / (high - low), 2), f"{t:g}")
            for t in _decades(low, high)
        ],
        _share_ticks(bottom, top),
        _frontier(rows, times),
    )


def training_sizes(comparison: pd.DataFrame, parts: Mapping[str, pd.DataFrame]) -> Plot | None:
    """Plot the test accuracy of the best learner of each kind against the size of training.

    `comparison` has the learners that were made; `parts` are as for `limits.counted`. None where no
    two splits test the same tracks after training on different numbers.
    """
    sizes, tested = {}, defaultdict(list)
    for split, own in parts.items():
        sizes[split] = round((own["part"] == "training").sum() / own["split"].nunique())
        tested[frozenset(own.loc[own["part"] == "test", "track_id"])].append(split)
    splits = max(tested.values(), key=lambda some: len({sizes[split] for split in some}))
    rows = comparison[comparison["split"].isin(splits)]
    best = best_of_kinds(rows[rows["split"] == max(splits, key=sizes.get)])
    if best.empty or len({sizes[split] for split in splits}) < 2:
        return None
    names = best["learner"].tolist()
    rows = rows[rows["learner"].isin(names)].assign(size=rows["split"].map(sizes))
    bottom, top = _bounds(rows["test_accuracy"])
    whole = 1.1 * max(sizes[split] for split in splits)
    points = [
        Point(
            round(100 * row.size / whole, 2),
            round(100 * (row.test_accuracy - bottom) / (top - bottom), 2),
            names.index(row.learner),
            f"{row.title}, {row.split}: {100 * row.test_accuracy:.1f} % after {row.size:,} tracks",
        )
        for row in rows.sort_values("size", kind="stable").itertuples(name="Row")
    ]
    return Plot(
        "Test accuracy by the number of training tracks",
        "training tracks",
        "test accuracy",
        points,
        best["title"].tolist(),
        [(round(100 * sizes[split] / whole, 2), f"{sizes[split]:,}") for split in splits],
        _share_ticks(bottom, top),
        "All these splits test the same tracks.",
        joined=True,
    )


def _frontier(rows: pd.DataFrame, times: pd.Series) -> str:
    """Name the learners that none beats in both, the fastest first."""
    named, best = [], -1.0
    order = rows.assign(time=times).sort_values(["time", "test_accuracy"], ascending=[True, False])
    for row in order.itertuples():
        if row.test_accuracy > best:
            best = row.test_accuracy
            named.append(f"{row.title} ({row.time:.0f} ms, {100 * best:.1f} %)")
    return f"From fast to accurate, these have no other that is better in both: {'; '.join(named)}."


def _bounds(shares: pd.Series) -> tuple[float, float]:
    """Return round bounds of an axis of shares."""
    low, high = np.floor(10 * shares.min()) / 10, np.ceil(10 * shares.max()) / 10
    return max(low - 0.05, 0.0), min(high + 0.05, 1.05)


def _share_ticks(low: float, high: float) -> list[tuple[float, str]]:
    step = 0.2 if high - low > 0.5 else 0.1
    shares = [share for share in np.arange(0, 1 + step / 2, step) if low <= share <= high]
    return [(round(100 * (one - low) / (high - low), 2), f"{100 * one:.0f} %") for one in shares]


def _decades(low: float, high: float) -> list[float]:
    """Return round numbers between two powers of ten: 1, 2, 5, 10, or fewer of them."""
    steps = _STEPS if high - low < 2.5 else (1,)
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    found = [step * 10.0**power for power in powers for step in steps]
    return [number for number in found if low <= np.log10(number) <= high]
