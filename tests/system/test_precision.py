"""Choice of the precision: bf16 if the processor and oneDNN support it, else float32."""

import pytest
import torch

from anime_dcgan.system import precision


@pytest.fixture
def processor(monkeypatch):
    """Return a function that simulates a CPU with these instruction sets, and no GPU."""

    def make(amx: bool, avx512_bf16: bool, onednn: str | None = None) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.mps, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
        if onednn:
            monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", onednn)

    return make


@pytest.mark.parametrize(
    ("amx", "avx512_bf16", "onednn", "reason"),
    [
        (True, True, None, "the CPU has AMX"),
        (True, True, "AVX512_CORE_AMX", "the CPU has AMX"),
        (True, True, "AVX512_CORE_BF16", "the CPU has AVX512_BF16"),
        (False, True, None, "the CPU has AVX512_BF16"),
        (False, True, "ALL", "the CPU has AVX512_BF16"),
        (True, True, "AVX512_CORE", None),
        (False, True, "avx2", None),
        (False, False, None, None),
    ],
)
def test_bf16_is_chosen_on_cpus_with_bf16_instructions(processor, amx, avx512_bf16, onednn, reason):
    processor(amx, avx512_bf16, onednn)
    expected = ("bf16-mixed", reason) if reason else ("32-true", "the CPU has neither AMX")
    found = precision.choose("auto")
    assert found[0] == expected[0]
    assert found[1].startswith(expected[1])


def test_float32_is_chosen_if_torch_has_no_onednn(processor, monkeypatch):
    processor(True, True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert precision.choose("cpu")[0] == "32-true"


def test_a_gpu_that_emulates_bf16_trains_in_float32(processor, monkeypatch):
    processor(True, True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for supported, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, s=supported: s
        )
        assert precision.choose("auto")[0] == expected
        assert precision.choose("cpu")[0] == "bf16-mixed"
