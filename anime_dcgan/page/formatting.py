"""Numbers and verdicts as a person reads them."""

from anime_dcgan.run.record import Equilibrium

VERDICTS = {
    "learning": ("Still learning", "The faces are still getting better: go on."),
    "equilibrium": ("Equilibrium reached", "Neither player gains any more."),
    "cycling": ("Cycling", "The players chase each other, and the faces change without improving."),
    "diverging": ("Diverging", "The faces are getting worse: an earlier epoch is better."),
    "collapsed": ("Collapsed", "The faces have become alike: an earlier epoch is better."),
}
UNKNOWN = ("No verdict known", "The run holds no equilibrium.json that says how far it is.")


def number(value: float | None) -> str:
    """Three significant digits, without an exponent where it can be helped."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:#.3g}".rstrip(".")


def epoch(value: float | None) -> str:
    """`21`, or `17.7` within one."""
    return "-" if value is None else f"{value:.4g}"


def images(count: float | None) -> str:
    """`300 thousand images`, or `512 images`."""
    if count is None:
        return "-"
    return f"{count / 1000:,.0f} thousand images" if count >= 10_000 else f"{count:,.0f} images"


def verdict(equilibrium: Equilibrium | None) -> tuple[str, str]:
    """A verdict as a headline, with the place that it names, and what it means."""
    if equilibrium is None:
        return UNKNOWN
    headline, meaning = VERDICTS[equilibrium.verdict]
    if equilibrium.epoch is not None:
        headline += f" at epoch {epoch(equilibrium.epoch)}"
    if equilibrium.images is not None:
        headline += f" ({images(equilibrium.images)})"
    return headline, meaning
