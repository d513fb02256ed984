"""Accessibility faults that axe-core finds on a page."""

from pathlib import Path

import axe_core_python

from tests.chromium import Chromium

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"


def problems(page: Chromium) -> list[str]:
    """Return what axe-core finds on the page that is serious or critical."""
    if not page.run("Boolean(window.axe)"):
        page.run(f"(() => {{ {AXE.read_text(encoding='utf-8')} }})()")
    page.run(
        "void axe.run({resultTypes: ['violations']}).then(({violations}) => window.problems ="
        " violations.filter(({impact}) => ['serious', 'critical'].includes(impact))"
        ".map(({id, nodes}) => `${id}: ${nodes.map(node => node.html).join(' ')}`))"
    )
    found = page.wait("window.problems && [window.problems]")[0]
    page.run("delete window.problems")
    return found
