"""The plots of a validation, drawn by matplotlib from the data of a study: points by group, lines by dashes."""

from __future__ import annotations

from textwrap import fill

from cd40l_flow.figures.main_figure import encoded
from cd40l_flow.laboratory.validation.study import Plot

SIZE = (5.4, 3.3)  # inches
# Dark to light, and of different shapes: groups are distinct in grey too.
_COLOURS = ("#0b4f8a", "#b35c00", "#0d5c46", "#7a4b8a", "#43505c", "#9b1c1c")
_SHAPES = "osD^vP"
_DASHES = ((0, ()), (0, (5, 3)), (0, (2, 2)), (0, (6, 2, 1, 2)))
_MOST_NAMED = 6
_LINE = 30  # letters of a line of words beside an axis


def drawn(plot: Plot) -> bytes:
    """Return a plot as SVG; equal plots are equal bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    named = len(plot.points) <= _MOST_NAMED
    for number, (name, x, y) in enumerate(plot.points):
        axes.plot(
            x,
            y,
            _SHAPES[number % len(_SHAPES)],
            color=_COLOURS[number % len(_COLOURS)],
            markersize=4,
            alpha=0.75,
            label=name if named and len(plot.points) > 1 else None,
        )
    for number, (name, x, y) in enumerate(plot.lines):
        axes.plot(x, y, color="#16222e", linewidth=1, linestyle=_DASHES[number % len(_DASHES)], label=name.strip())
    if plot.names:
        step = max(len(plot.names) // 12, 1)
        places = range(0, len(plot.names), step)
        axes.set_xticks(list(places), [plot.names[place] for place in places], rotation=45, ha="right")
    axes.set_xlabel(plot.x, fontsize=9)
    axes.set_ylabel(fill(plot.y, _LINE), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#d5dce3", linewidth=0.5)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False)
    return encoded(figure, "svg", plain=True)
