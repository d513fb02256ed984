"""The page on which a person decides about the pictures that `prepare` has doubts about."""

import base64
import hashlib
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Real, UInt8
from PIL import Image

from anime_dcgan.cleaning.findings import Distribution, Findings, Suspect
from anime_dcgan.page import formatting
from anime_dcgan.page.render import render, write_page

QUALITY = 85  # of the JPEGs, whose colours are not subsampled
BARS = 48  # of a histogram
OUTLIERS = 0.1  # per cent at either end that the outermost bars collect
MAX_TICKS = 5
WIDTH, HALF, LABELS = 360, 56, 16  # of a histogram: one side of its axis, the line of its ticks


def write_review(findings: Findings, out: Path) -> None:
    """Write the page of `findings` to the HTML file `out`; UserError if that cannot be."""
    from markupsafe import Markup

    reasons = _reasons(findings)
    page = render(
        "review",
        ("review",),
        findings=findings,
        total=findings.counts[0][1] if findings.counts else 0,
        reasons=reasons,
        histograms=[
            (one, describe(one), Markup(draw_histogram(one)))
            for one in findings.distributions
            if len(_finite(one.kept)) + len(_finite(one.dropped))
        ],
        contact=f"data:image/jpeg;base64,{_jpeg(findings.contact)}",
        data=Markup(_json(_data(findings, reasons))),
    )
    write_page(out, page)


def _reasons(findings: Findings) -> dict[str, list[Suspect]]:
    """Group the suspects by reason, dropped ones before borderline ones."""
    names = [*(suspect.reason for suspect in findings.suspects), *findings.omitted]
    return {
        name: sorted(
            (suspect for suspect in findings.suspects if suspect.reason == name),
            key=lambda suspect: not suspect.flagged,
        )
        for name in dict.fromkeys(names)
    }


def _data(findings: Findings, reasons: dict[str, list[Suspect]]) -> dict[str, Any]:
    """Return the data for the script of the page.

    The browser keeps choices under `store`; `written` distinguishes the page from another page of
    the same pictures that was written with other choices.
    """
    known = {suspect.key: suspect.choice or "" for suspect in findings.suspects}
    return {
        "store": f"anime_dcgan review {_digest([findings.title, *sorted(known)])}",
        "written": _digest(f"{key} {choice}" for key, choice in sorted(known.items())),
        "reasons": [
            {"name": name, "suspects": [_tile(suspect) for suspect in suspects]}
            for name, suspects in reasons.items()
        ],
    }


def _tile(suspect: Suspect) -> dict[str, Any]:
    above, below = suspect.score > suspect.threshold, suspect.score < suspect.threshold
    return {
        "key": suspect.key,
        "name": suspect.name,
        "score": formatting.number(suspect.score),
        "sign": ">" if above else "<" if below else "=",
        "threshold": formatting.number(suspect.threshold),
        "flagged": suspect.flagged,
        "size": f"{suspect.width} \N{MULTIPLICATION SIGN} {suspect.height}",
        "face": _jpeg(suspect.face),
        "twin": None if suspect.twin is None else _jpeg(suspect.twin),
        "twinName": suspect.twin_name,
        "choice": suspect.choice,
    }


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]


def _json(content: Any) -> str:
    """JSON that neither ends the script element that it stands in nor opens another."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _jpeg(pixels: UInt8[np.ndarray, "height width 3"]) -> str:
    """A picture as the base64 of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "jpeg", quality=QUALITY, subsampling=0)
    return base64.b64encode(file.getvalue()).decode()


def histogram(
    distribution: Distribution,
) -> tuple[Int[np.ndarray, " bars"], Int[np.ndarray, " bars"], Float[np.ndarray, " edges"]]:
    """Numbers of kept and of dropped pictures by bar, and the edges of the bars.

    The threshold lies within the edges; a few outliers at either end are in the outermost bars, and
    values that are not finite are in none.
    """
    kept, dropped = _finite(distribution.kept), _finite(distribution.dropped)
    low, high = np.percentile(np.concatenate([kept, dropped]), [OUTLIERS, 100 - OUTLIERS])
    if distribution.threshold is not None and math.isfinite(distribution.threshold):
        low, high = min(low, distribution.threshold), max(high, distribution.threshold)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BARS + 1)
    counts = [np.histogram(one.clip(low, high), edges)[0] for one in (kept, dropped)]
    return counts[0], counts[1], edges


def describe(distribution: Distribution) -> str:
    """Return the histogram as text, for screen readers."""
    kept, dropped = len(distribution.kept), len(distribution.dropped)
    text = f"{distribution.name}: {kept:,} kept, {dropped:,} dropped"
    if distribution.threshold is None:
        return text
    return f"{text}, threshold {formatting.number(distribution.threshold)}"


def draw_histogram(distribution: Distribution) -> str:
    """An `<svg>` element: kept above its axis, dropped below, by the logarithm of their number."""
    kept, dropped, edges = histogram(distribution)
    tallest = math.log1p(max(kept.max(), dropped.max()))
    step = WIDTH / BARS
    parts = []
    for counts, name, sign in ((kept, "kept", -1), (dropped, "dropped", 1)):
        outline = "".join(
            f"M{index * step:.1f} {HALF + sign}h{step - 1:.1f}"
            f"v{sign * (2 + (HALF - 3) * math.log1p(count) / tallest):.1f}h{1 - step:.1f}z"
            for index, count in enumerate(counts)
            if count
        )
        parts.append(f'<path class="{name}" d="{outline}"/>')
    for tick in _ticks(edges[0], edges[-1]):
        place = _place(tick, edges)
        anchor = "start" if place < 12 else "end" if place > WIDTH - 12 else "middle"
        where = f'x="{place:.1f}" y="{2 * HALF + LABELS - 3}" text-anchor="{anchor}"'
        parts.append(f"<text {where}>{tick:g}</text>")
    if distribution.threshold is not None and math.isfinite(distribution.threshold):
        place = _place(distribution.threshold, edges)
        parts.append(f'<path class="threshold" d="M{place:.1f} 0V{2 * HALF}"/>')
    axis = f'<path class="axis" d="M0 {HALF}H{WIDTH}"/>'
    box = f"-2 0 {WIDTH + 4} {2 * HALF + LABELS}"
    return f'<svg viewBox="{box}" aria-hidden="true">{axis}{"".join(parts)}</svg>'


def _finite(values: Real[np.ndarray, " n"]) -> Float[np.ndarray, " finite"]:
    values = values.astype(float)
    return values[np.isfinite(values)]


def _place(value: float, edges: Float[np.ndarray, " edges"]) -> float:
    return WIDTH * (value - edges[0]) / (edges[-1] - edges[0])


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two others, at most `MOST_TICKS` or one more."""
    least = (high - low) / MAX_TICKS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{number * step:.6g}") for number in range(first, last + 1)]
