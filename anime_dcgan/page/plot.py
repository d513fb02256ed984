"""Draw a panel of curves as inline SVG in the colours of the page, light or dark."""

import io
import re
from typing import TYPE_CHECKING, Any

from anime_dcgan.page.panels import Mark, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Matplotlib has no CSS variables: these colours are placeholders for them.
CURVES = [f"#a0000{number}" for number in range(1, 7)]
INK, RULE, VERDICT, BEST = "#b00001", "#b00002", "#b00003", "#b00004"
VARIABLES = {
    **{colour: f"var(--curve-{number})" for number, colour in enumerate(CURVES, start=1)},
    INK: "var(--quiet)",
    RULE: "var(--rule)",
    VERDICT: "var(--verdict)",
    BEST: "var(--best)",
}
STYLES = {"verdict": (VERDICT, "-"), "best": (BEST, (0, (1, 1.5)))}
SIZE = (5.0, 2.5)  # inches; 72 SVG units per inch
MAX_LINEAR_RATIO = 8.0  # highest over lowest distance on a linear axis
FLOOR_TOLERANCE = 0.1  # relative difference of floors that are drawn as one
MAX_MARKERS = 40  # points of a curve that have markers
SETTINGS = {"svg.fonttype": "none", "font.size": 10.5, "axes.unicode_minus": True}


def draw(panel: Panel, marks: list[Mark], images: float, number: int) -> str:
    """Return an `<svg>` element to embed in an HTML page; `number` makes its ids unique.

    The axis spans 0 to `images` (or hours, depending on `panel.axis`), so that all panels of a
    page share it.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {**SETTINGS, "svg.hashsalt": f"panel {number}"}
    with rc_context(settings):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        _draw_curves(axes, panel)
        _draw_marks(axes, marks)
        end = images / panel.axis.unit
        if end > 0:  # 0 if no time was recorded yet
            axes.set_xlim(-0.01 * end, 1.02 * end)
        _style_axes(axes, panel)
        page = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(page, format="svg", transparent=True, metadata=no_metadata)
    return _inline(page.getvalue())


def _draw_curves(axes: "Axes", panel: Panel) -> None:
    for index, curve in enumerate(panel.curves):
        colour = RULE if curve.quiet else CURVES[index % len(CURVES)]
        positions, values = zip(*curve.points, strict=True)
        marker = "o" if len(positions) <= MAX_MARKERS and not curve.quiet else ""
        axes.plot(
            [position / panel.axis.unit for position in positions],
            values,
            color=colour,
            linewidth=1.2 if curve.quiet else 1.8,
            marker=marker,
            markersize=3.2,
            zorder=1 if curve.quiet else 2,
        )
    for level, colour in _levels(panel):
        axes.axhline(level, color=colour, linewidth=1.1, linestyle=(0, (4, 3)))


def _levels(panel: Panel) -> list[tuple[float, str]]:
    """Return the dashed lines and their colours; floors that nearly agree become one grey line."""
    level = [(panel.level, INK)] if panel.level is not None else []
    floors = [
        (curve.floor, CURVES[index % len(CURVES)])
        for index, curve in enumerate(panel.curves)
        if curve.floor is not None
    ]
    values = [value for value, _ in floors]
    if len(values) > 1 and max(values) - min(values) <= FLOOR_TOLERANCE * abs(max(values)):
        floors = [(sum(values) / len(values), INK)]
    return level + floors


def _draw_marks(axes: "Axes", marks: list[Mark]) -> None:
    for mark in marks:
        colour, style = STYLES[mark.name]
        axes.axvline(mark.images / 1000, color=colour, linewidth=1.8, linestyle=style, zorder=1)


def _style_axes(axes: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes.set_xlabel(panel.axis.label, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    if panel.scale == "distance" and _is_wide(panel):
        _set_logarithmic(axes)
    elif panel.scale == "percentage":
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
        if panel.scale != "plain":
            axes.set_ylim(bottom=min(0.0, axes.dataLim.y0))
    axes.tick_params(which="both", length=0, labelcolor=INK)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(RULE)


def _is_wide(panel: Panel) -> bool:
    """Return True if the distances, floors included, span too wide a range for a linear axis."""
    values = [value for curve in panel.curves for _, value in curve.points]
    values += [curve.floor for curve in panel.curves if curve.floor is not None]
    return min(values) > 0 and max(values) > MAX_LINEAR_RATIO * min(values)


def _set_logarithmic(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _inline(document: str) -> str:
    """Turn an SVG document into an element without prologue, styles or global names."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[\w.]+_\d+"', "", svg)
    svg = re.sub(r'<svg[^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    svg = svg.replace("xlink:href", "href")
    return re.sub("|".join(VARIABLES), lambda colour: VARIABLES[colour[0]], svg)
