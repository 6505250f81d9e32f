"""The figures of the B-cell assays' first pages: CD27 against IgD with the age curve; CD40 of each kind of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cd40l_flow.assay.memory_b.reagents import FMO_CD27, MEMORY
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.age_curve import AgePoint, draw_age_curve
from cd40l_flow.figures.b_cell_densities import KINDS, cells_key
from cd40l_flow.figures.main_figure import DPI, SIZE
from cd40l_flow.figures.main_panels import INK, SMALL, Histograms, Person, Quadrants
from cd40l_flow.figures.plots import QuadrantPlot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# The level of a kind of cells over the controls', and the ends of its 95 % interval.
Ratio = tuple[float, float, float]


class Subsets(Quadrants):
    """CD27 against IgD of the B cells of one reagent's tubes, with the number of cells in each quadrant."""

    def _words_of(self, plot: QuadrantPlot, kind: str) -> Sequence[str]:
        counts = plot.cells.get(kind) if plot.cells else None
        return [f"{count:,}" for count in counts] if counts else [""] * 4


def memory_figure(patient: Person, control: Person | None, point: AgePoint) -> Figure:
    """Return the figure of a memory tube: its B cells and those of the FMO over the control's, and the age curve."""
    figure = _empty()
    grid = figure.add_gridspec(
        2, 4, width_ratios=(1, 1, 0.24, 1.75), left=0.085, right=0.985, top=0.945, bottom=0.1, hspace=0.16, wspace=0.07
    )
    words = load_texts()["main_figure"]["kinds"]
    for row, person in enumerate((patient, control)):
        for column, kind in enumerate((MEMORY, FMO_CD27)):
            panel = Subsets(figure.add_subplot(grid[row, column]), across=row == 1, up=column == 0)
            panel.show(person, MEMORY, kind, title=words[kind] if row == 0 else "")
    draw_age_curve(figure.add_subplot(grid[:, 3]), point)
    return figure


def cd40_figure(
    patient: Person,
    control: Person | None,
    ratios: Sequence[tuple[str, Ratio | None]],
    limits: Mapping[str, float | None],
) -> Figure:
    """Return the figure of CD40: its histogram on each kind of cells, and the level over the controls' with interval.

    ``ratios`` are of each kind of cells, ``limits`` the two limits (absent, low) by their names, None where they are
    not known.
    """
    figure = _empty()
    grid = figure.add_gridspec(
        2, 3, width_ratios=(2.1, 0.16, 1), left=0.02, right=0.985, top=0.9, bottom=0.11, hspace=0.4, wspace=0.05
    )
    for row, cells in enumerate(KINDS.values()):
        draw_level(figure.add_subplot(grid[row, 0]), patient, control, cells, legend=row == 0)
    _draw_ratios(figure.add_subplot(grid[:, 2]), ratios, limits)
    return figure


def draw_subsets(axes: Axes, person: Person, kind: str) -> None:
    """Draw CD27 against IgD of the B cells of one reagent's tubes on given axes."""
    Subsets(axes).show(person, MEMORY, kind)


def draw_level(axes: Axes, patient: Person, control: Person | None, cells: str, *, legend: bool = True) -> None:
    """Draw CD40 of a kind of cells, the isotype and the control's on given axes, each to its height."""
    words = load_texts()["main_figure"]
    panel = Histograms(axes, legend=legend)
    panel.show(patient, control, cells_key(cells))
    target = patient.densities.target(cells_key(cells))
    label = target.axis.label if target is not None else "CD40"
    panel.name("", x=words["of_cells"].format(axis=label, cells=words["cells"][cells]))


def _empty() -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, dpi=DPI, facecolor="white")


def _draw_ratios(axes: Axes, ratios: Sequence[tuple[str, Ratio | None]], limits: Mapping[str, float | None]) -> None:
    """Draw the level of each kind of cells over the controls', 1 being theirs, with its interval and the limits."""
    words = load_texts()["main_figure"]
    tops = [1.5, *(1.1 * found[2] for _, found in ratios if found is not None)]
    axes.set(xlim=(-0.5, len(ratios) - 0.5), ylim=(0, max(tops)))
    usual = limits.get("low")
    if usual is not None:
        axes.axhspan(usual, max(tops), color="#d9e6dd", lw=0, zorder=0.5)
    for name in ("low", "absent"):
        limit = limits.get(name)
        if limit is None:
            continue
        axes.axhline(limit, color="#b02a1d", lw=0.9, ls=(0, (4, 2)), zorder=1)
        axes.annotate(
            words["ratio_limits"][name].format(limit=f"{limit:g}"),
            (len(ratios) - 0.52, limit),
            (0, 1.5),
            textcoords="offset points",
            fontsize=SMALL,
            color="#b02a1d",
            ha="right",
            va="bottom",
        )
    axes.axhline(1.0, color="#2f6b4f", lw=0.9, zorder=1)
    for place, (_, found) in enumerate(ratios):
        if found is None:
            axes.text(place, 0.5 * max(tops), words["no_ratio"], fontsize=SMALL, ha="center", color="#55616e")
            continue
        ratio, low, high = found
        axes.plot([place] * 2, [low, high], color="#0b4f8a", lw=2.2, solid_capstyle="butt", zorder=3)
        axes.plot(place, ratio, marker="o", color="#0b4f8a", mec="white", mew=0.7, ms=6.5, zorder=4)
    axes.set_xticks(range(len(ratios)), [words["cells"][name] for name, _ in ratios], fontsize=SMALL, color=INK)
    axes.tick_params(labelsize=SMALL, color="#55616e", labelcolor=INK, length=3, width=0.7)
    for spine in axes.spines.values():
        spine.set(color="#55616e", lw=0.7)
    axes.set_title(words["ratio"], fontsize=7.5, color=INK, pad=4)
