"""Format numbers and verdicts for people."""

from anime_dcgan.run.record import EquilibriumRecord, VerdictName

VERDICT_TEXTS: dict[VerdictName, tuple[str, str]] = {
    "learning": ("Still learning", "The faces are still getting better: keep training."),
    "equilibrium": ("Equilibrium reached", "Neither player can improve any further."),
    "cycling": ("Cycling", "The players chase each other; the faces change without improving."),
    "diverging": ("Diverging", "The faces are getting worse: an earlier epoch is better."),
    "collapsed": ("Collapsed", "The faces have become alike: an earlier epoch is better."),
}
UNKNOWN = ("No verdict yet", "The run has no equilibrium.json that could be read.")


def number(value: float | None) -> str:
    """Return three significant digits, without an exponent where possible."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:#.3g}".rstrip(".")


def epoch(value: float | None) -> str:
    """Return `21`, or `17.7` within an epoch."""
    return "-" if value is None else f"{value:.4g}"


def images(count: float | None) -> str:
    """Return `300 thousand images`, or `512 images`."""
    if count is None:
        return "-"
    return f"{count / 1000:,.0f} thousand images" if count >= 10_000 else f"{count:,.0f} images"


def verdict(equilibrium: EquilibriumRecord | None) -> tuple[str, str]:
    """Return a verdict as a headline, with the epoch and images that it names, and its meaning."""
    if equilibrium is None:
        return UNKNOWN
    headline, meaning = VERDICT_TEXTS[equilibrium.verdict]
    if equilibrium.epoch is not None:
        headline += f" at epoch {epoch(equilibrium.epoch)}"
    if equilibrium.images is not None:
        headline += f" ({images(equilibrium.images)})"
    return headline, meaning
