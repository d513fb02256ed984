"""The colours of all pages meet WCAG 2.2, success criteria 1.4.3 (text) and 1.4.11."""

import re

import pytest

from anime_dcgan.page.render import THEME

TEXT = ("ink", "quiet", "link", "good", "busy", "warn", "bad")
GRAPHICS = ("line", "verdict", "best", *(f"curve-{number}" for number in range(1, 7)))


def colours(theme: int) -> dict[str, str]:
    """Return the colours of the light (0) or dark (1) theme, by name."""
    pairs = re.findall(r"--([a-z0-9-]+): light-dark\((#\w{6}), (#\w{6})\)", THEME.read_text())
    return {name: both[theme] for name, *both in pairs}


def luminance(colour: str) -> float:
    """Return the relative luminance as defined by WCAG."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_matches_the_reference_values():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", TEXT)
def test_text_has_enough_contrast(name: str, theme: int):
    palette = colours(theme)
    assert min(contrast(palette[name], palette[ground]) for ground in ("page", "card")) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", GRAPHICS)
def test_graphics_have_enough_contrast(name: str, theme: int):
    palette = colours(theme)
    assert min(contrast(palette[name], palette[ground]) for ground in ("page", "card")) >= 3
