"""The report and the comparison in headless Chromium, where it is installed.

`chromium --headless --screenshot=page.png --window-size=1280,3000 report.html` makes a picture of
a page, with `--blink-settings=preferredColorScheme=0` in its dark theme.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.page.report import write_report
from tests.chromium import BROWSER
from tests.run_folder import make_full_run
from tests.test_compare import make_sweep

DARK = "--blink-settings=preferredColorScheme=0"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_full_run(tmp_path_factory.mktemp("browser") / "a")
    write_report(run, run / "report.html")
    return run / "report.html"


def browse(page: Path, *options: str) -> tuple[str, list[str]]:
    """Return the browser's output and its console messages, blocked requests among them."""
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=2000"]
    profile = f"--user-data-dir={page.parent / 'profile'}"
    result = subprocess.run(
        [*command, profile, *options, page.as_uri()], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, re.findall(r".*CONSOLE.*", result.stderr)


def screenshot(page: Path, *options: str) -> np.ndarray:
    picture = page.with_suffix(".png")
    _, messages = browse(page, f"--screenshot={picture}", "--window-size=1000,1600", *options)
    assert not messages
    with Image.open(picture) as opened:
        return np.asarray(opened.convert("RGB"))


def test_a_report_is_drawn_in_light_and_dark_without_console_messages(page: Path):
    light, dark = screenshot(page), screenshot(page, DARK)
    assert light[5, 5].min() > 230 and dark[5, 5].max() < 50
    for pixels in (light, dark):
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


def test_the_policy_allows_the_script_of_the_page(page: Path):
    dom, messages = browse(page, "--dump-dom")
    assert not messages
    assert '<div id="film" class="film">' in dom  # no longer hidden
    assert re.search(r"<output>epoch 10</output>", dom)


def test_the_policy_blocks_foreign_pictures_and_the_console_shows_it(page: Path):
    foreign = page.with_name("foreign.html")
    content = page.read_text()
    foreign.write_text(content.replace("<main>", '<main><img src="http://example.invalid/a.png">'))
    _, messages = browse(foreign, "--dump-dom")
    assert any("Content Security Policy" in message for message in messages)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory, call: Callable[..., object]) -> Path:
    sweep = make_sweep(tmp_path_factory.mktemp("comparison") / "losses")
    call("compare", str(sweep), cwd=sweep)
    return sweep / "compare.html"


def test_a_comparison_is_drawn_in_light_and_dark(comparison: Path):
    light, dark = screenshot(comparison), screenshot(comparison, DARK)
    assert light[5, 5].min() > 230 and dark[5, 5].max() < 50


@pytest.mark.parametrize("name", ["page", "comparison"])
def test_nothing_overflows_on_a_phone(request: pytest.FixtureRequest, name: str):
    """Uses a frame of 390 px, because the browser's window has a minimum width."""
    page: Path = request.getfixturevalue(name)
    wide = page.with_name("wide.html")
    probe = (
        "<script>document.title = 'overflowing: ' + [...document.querySelectorAll('body *')]"
        ".filter(e => !e.closest('.scroll, pre, dialog')"
        " && e.getBoundingClientRect().right > innerWidth + 1).length</script>"
    )
    content = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text()).replace("</body>", probe)
    wide.write_text(content)
    frame = page.with_name("frame.html")
    frame.write_text(
        f'<iframe src="{wide.name}" style="width:390px;height:3000px"></iframe>'
        "<script>onload = () => document.title = frames[0].document.title</script>"
    )
    dom, _ = browse(frame, "--dump-dom", "--allow-file-access-from-files")
    assert "<title>overflowing: 0</title>" in dom
