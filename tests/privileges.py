"""Drop the privileges with which root ignores the modes of files."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

import pytest

VERSION_3 = 0x20080522
IGNORES_MODES = 0b111  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Capabilities(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Let the modes of files apply to this thread, even if it is root's."""
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root ignores modes here")
    libc, header = ctypes.CDLL(None, use_errno=True), _Header(VERSION_3, 0)
    sets = (_Capabilities * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    before = sets[0].effective
    sets[0].effective = before & ~IGNORES_MODES
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = before
        assert libc.capset(ctypes.byref(header), sets) == 0
