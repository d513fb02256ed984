"""Parse HTML pages, and check that they are self-contained and run no foreign script."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

HOSTILE = "</script><script>alert('x')</script><img src=http://evil/ onerror=alert(1)>\" onload=\"x"
ADDRESSES = ("src", "href", "xlink:href", "srcset", "action", "data", "poster")


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text without style and script."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script"):
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element `tag` that has these values."""
        return [
            element
            for name, element in self.elements
            if name == tag
            and all(
                element.get(key.strip("_").replace("_", "-")) == value
                for key, value in attributes.items()
            )
        ]


def assert_self_contained(page: Page) -> None:
    """Fail if the page has event handlers, or refers to anything outside itself."""
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "base")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ADDRESSES:
                assert value and value.startswith(("data:", "#")), (tag, value)
    assert "@import" not in page.source
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", page.source))


def assert_only_its_own_script_may_run(page: Page) -> None:
    """Fail if the content security policy allows more than the hash of the page's script."""
    (script,) = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
    (policy,) = page.all("meta", http_equiv="Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    directives = str(policy["content"]).split("; ")
    assert "default-src 'none'" in directives and f"script-src 'sha256-{digest}'" in directives
