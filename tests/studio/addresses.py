"""Addresses of the views of the studio."""

from urllib.parse import quote

A = "run=a&epoch=2&weights=ema"


WALL = f"#/wall?{A}&seed=0"


HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script>'


def face(seed: int) -> str:
    return f"{A}&seed={seed}"


def parents(*seeds: int) -> str:
    return "parents=" + quote(" ".join(face(seed) for seed in seeds))
