"""What all figures share: an SVG with a title, a note, a style, and a layout that cuts nothing.

Figures are transparent, and their inks turn light where dark pages are preferred. Text stays
text: files are small, can be searched and read aloud, and each browser takes its own sans-serif.
The layout is measured with DejaVu Sans, which is wider than most, so that nothing gets cut. The
same numbers give the same bytes.
"""

import io
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure, SubFigure
from matplotlib.transforms import Bbox

from genreflow.runtime.files import write_text

# Okabe and Ito's colours, told apart with every kind of colour vision.
INK, GREY, PALE = "#1b1c1e", "#55595f", "#d9d7d2"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_ON_DARK = {INK: "#e8e8e6", GREY: "#a9adb3", PALE: "#383c42"}
_LONGEST_NAME = 32

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "svg.fonttype": "none",
    "svg.hashsalt": "genreflow",
    # A genre named "$" is no formula.
    "text.parse_math": False,
}


# Rules beside the colours, not in their place: other programs than browsers know no such rules.
_THEME = "".join(
    [
        ":root{color-scheme:light dark}@media (prefers-color-scheme:dark){",
        *(
            f'[style*="{key}: {ink}"]{{{key}:{other} !important}}'
            for ink, other in _ON_DARK.items()
            for key in ("fill", "stroke")
        ),
        "}",
    ]
)


@contextmanager
def drawing(
    path: str | Path, width: float, height: float, *, title: str, note: str = ""
) -> Iterator[SubFigure]:
    """Give a figure to draw in and write it to `path` when the block ends.

    Width and height are in inches; the title above and the note in small letters below, for example
    that the corpus is synthetic, take room of their own.
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
        footer.text(0.02, 1, "\n".join(below), va="top", fontsize=7.5, color=GREY)
        yield body
        _lay_out(figure)
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Title": title})
        write_text(path, content.getvalue().replace("</style>", f"{_THEME}</style>", 1))


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


def draw_reason(said: str, path: str | Path, *, title: str, note: str = "") -> None:
    """Draw nothing but why there is nothing to draw; the others as for `drawing`."""
    lines = textwrap.wrap(said, 76)
    with drawing(path, 6.0, 0.4 + 0.17 * len(lines), title=title, note=note) as figure:
        figure.text(0.02, 0.5, "\n".join(lines), va="center", color=GREY)


def draw_legend(figure: SubFigure, panels: Iterable[Axes], *, ncols: int) -> None:
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
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols)


def write_beside(axes: Axes, y: float, text: str, **style: float) -> None:
    """Write a text to the right of the panel, where no curve can cross it."""
    beside = axes.get_yaxis_transform()
    axes.annotate(text, (1.01, y), xycoords=beside, va="center", annotation_clip=False, **style)


def list_shares(axes: Axes, names: Sequence[str], shares: Iterable[float]) -> None:
    """Name the rows of a panel from top to bottom, with their shares in percent beside."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    for place, share in enumerate(shares):
        write_beside(axes, place, f"{100 * share:.1f}")


def shortened(name: str) -> str:
    """Cut a name that is too long for a label."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
