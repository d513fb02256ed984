"""Write the page for reviewing the pictures that `prepare` suspects."""

import base64
import hashlib
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Real, UInt8
from PIL import Image

from anime_dcgan.cleaning.findings import Distribution, Findings, Suspect
from anime_dcgan.page import formatting
from anime_dcgan.page.render import render, write_page

QUALITY = 85  # of JPEGs
BARS = 48  # per histogram
CLIPPED_PERCENT = 0.1  # of the values at either end, which the outermost bars collect
MAX_TICKS = 5
WIDTH, HALF_HEIGHT, LABEL_HEIGHT = 360, 56, 16  # SVG units; half is one side of the axis
SCRIPTS = ("dom", "choices", "tiles", "close-up", "navigation", "actions", "input")


def write_review(findings: Findings, out: Path) -> None:
    """Write the review page to the HTML file `out`. Raises `UserError` if it cannot be written."""
    from markupsafe import Markup

    reasons = _suspects_by_reason(findings)
    page = render(
        "review",
        [f"review/{name}" for name in SCRIPTS],
        findings=findings,
        total=findings.counts[0][1] if findings.counts else 0,
        reasons=reasons,
        histograms=[
            (distribution, describe(distribution), Markup(draw_histogram(distribution)))
            for distribution in findings.distributions
            if len(_finite(distribution.kept)) + len(_finite(distribution.dropped))
        ],
        contact=f"data:image/jpeg;base64,{_jpeg(findings.contact)}",
        data=Markup(_json(_script_data(findings, reasons))),
    )
    write_page(out, page)


def _suspects_by_reason(findings: Findings) -> dict[str, list[Suspect]]:
    """Group the suspects by reason, dropped ones before borderline ones."""
    names = [*(suspect.reason for suspect in findings.suspects), *findings.omitted]
    return {
        name: sorted(
            (suspect for suspect in findings.suspects if suspect.reason == name),
            key=lambda suspect: not suspect.flagged,
        )
        for name in dict.fromkeys(names)
    }


def _script_data(findings: Findings, reasons: dict[str, list[Suspect]]) -> dict[str, Any]:
    """Return the data for the page's script (types in template/review/choices.js).

    The browser stores choices under `storageKey`. `revision` identifies the choices with which
    the page was written; it differs between two pages of the same pictures.
    """
    choices = {suspect.key: suspect.choice or "" for suspect in findings.suspects}
    return {
        "storageKey": f"anime_dcgan review {_digest([findings.title, *sorted(choices)])}",
        "revision": _digest(f"{key} {choice}" for key, choice in sorted(choices.items())),
        "reasons": [
            {"name": name, "suspects": [_suspect_data(suspect) for suspect in suspects]}
            for name, suspects in reasons.items()
        ],
    }


def _suspect_data(suspect: Suspect) -> dict[str, Any]:
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
    """Return JSON for a script element, which it can neither end nor nest."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _jpeg(pixels: UInt8[np.ndarray, "height width 3"]) -> str:
    """Return a JPEG as base64."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "jpeg", quality=QUALITY, subsampling=0)
    return base64.b64encode(file.getvalue()).decode()


def histogram(
    distribution: Distribution,
) -> tuple[Int[np.ndarray, " bars"], Int[np.ndarray, " bars"], Float[np.ndarray, " edges"]]:
    """Return the numbers of kept and of dropped pictures per bar, and the edges of the bars.

    The edges include the threshold. The outermost bars collect a few outliers at either end, and
    non-finite values are not counted.
    """
    kept, dropped = _finite(distribution.kept), _finite(distribution.dropped)
    values = np.concatenate([kept, dropped])
    low, high = np.percentile(values, [CLIPPED_PERCENT, 100 - CLIPPED_PERCENT])
    if distribution.threshold is not None and math.isfinite(distribution.threshold):
        low, high = min(low, distribution.threshold), max(high, distribution.threshold)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BARS + 1)
    kept_counts, _ = np.histogram(kept.clip(low, high), edges)
    dropped_counts, _ = np.histogram(dropped.clip(low, high), edges)
    return kept_counts, dropped_counts, edges


def describe(distribution: Distribution) -> str:
    """Return the histogram as text, for screen readers."""
    kept, dropped = len(distribution.kept), len(distribution.dropped)
    text = f"{distribution.name}: {kept:,} kept, {dropped:,} dropped"
    if distribution.threshold is None:
        return text
    return f"{text}, threshold {formatting.number(distribution.threshold)}"


def draw_histogram(distribution: Distribution) -> str:
    """Return an `<svg>` element: kept pictures above the axis, dropped ones below, log scale."""
    kept, dropped, edges = histogram(distribution)
    max_count = int(max(kept.max(), dropped.max()))
    parts = [
        f'<path class="axis" d="M0 {HALF_HEIGHT}H{WIDTH}"/>',
        f'<path class="kept" d="{_draw_bars(kept, max_count, -1)}"/>',
        f'<path class="dropped" d="{_draw_bars(dropped, max_count, 1)}"/>',
        *(_draw_tick(value, edges) for value in _ticks(edges[0], edges[-1])),
    ]
    if distribution.threshold is not None and math.isfinite(distribution.threshold):
        x = _position(distribution.threshold, edges)
        parts.append(f'<path class="threshold" d="M{x:.1f} 0V{2 * HALF_HEIGHT}"/>')
    box = f"-2 0 {WIDTH + 4} {2 * HALF_HEIGHT + LABEL_HEIGHT}"
    return f'<svg viewBox="{box}" aria-hidden="true">{"".join(parts)}</svg>'


def _draw_bars(counts: Int[np.ndarray, " bars"], max_count: int, sign: Literal[-1, 1]) -> str:
    """Return the outline of the bars, above the axis if `sign` is -1 and below it if it is 1."""
    step = WIDTH / BARS
    scale = (HALF_HEIGHT - 3) / math.log1p(max_count)
    return "".join(
        f"M{index * step:.1f} {HALF_HEIGHT + sign}h{step - 1:.1f}"
        f"v{sign * (2 + scale * math.log1p(count)):.1f}h{1 - step:.1f}z"
        for index, count in enumerate(counts)
        if count
    )


def _draw_tick(value: float, edges: Float[np.ndarray, " edges"]) -> str:
    x, y = _position(value, edges), 2 * HALF_HEIGHT + LABEL_HEIGHT - 3
    anchor = "start" if x < 12 else "end" if x > WIDTH - 12 else "middle"
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{value:g}</text>'


def _finite(values: Real[np.ndarray, " n"]) -> Float[np.ndarray, " finite"]:
    values = values.astype(float)
    return values[np.isfinite(values)]


def _position(value: float, edges: Float[np.ndarray, " edges"]) -> float:
    return WIDTH * (value - edges[0]) / (edges[-1] - edges[0])


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers in [low, high], at most `MAX_TICKS` + 1."""
    min_step = (high - low) / MAX_TICKS
    power = 10.0 ** math.floor(math.log10(min_step))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= min_step)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{number * step:.6g}") for number in range(first, last + 1)]
