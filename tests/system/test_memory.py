"""Requests beyond the free memory are refused, and failed allocations are recognised."""

import errno

import pytest
import torch

from anime_dcgan.system import memory
from anime_dcgan.system.errors import UserError


def test_an_array_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    memory.check_memory(10**9, "n=3", "use n=1")
    with pytest.raises(UserError, match=r"^n=9 would need 3\.0 GB of memory, and 1\.0 GB are free"):
        memory.check_memory(3 * 10**9, "n=9", "use n=3")


def test_an_unknown_system_refuses_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.check_memory(1e30, "n=9", "use n=3")


def test_a_failed_allocation_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert memory.is_out_of_memory(caught.value)
    assert memory.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert memory.is_out_of_memory(MemoryError())
    assert memory.is_out_of_memory(ImportError("a.so: failed to map segment from shared object"))
    assert memory.is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert not memory.is_out_of_memory(RuntimeError("sizes must match"))
