"""Choice of the precision that trains fastest on this machine."""

import os

import torch

FAST, FULL = "bf16-mixed", "32-true"
BF16_ISAS = ("BF16", "FP16", "AVX10", "AMX")
"""Substrings of ONEDNN_MAX_CPU_ISA's values that stand for instruction sets with bf16 products."""


def choose(accelerator: str) -> tuple[str, str]:
    """Return the value for `trainer.precision`, and the reason.

    bf16 autocast is chosen on GPUs that support it and on CPUs with AMX, whose tiles make it 2 to 5
    times faster than float32, or AVX512_BF16, whose dot products make it twice as fast
    (benchmarks/results/training.md). Other CPUs emulate bf16, slowly.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return FAST, "the GPU computes in bf16"
        return FULL, "the GPU has no bf16"
    if accelerator == "mps" or (accelerator in ("auto", "gpu") and torch.mps.is_available()):
        return FULL, "bf16 is not reliable on MPS"
    if _onednn_may_use("AMX") and torch.cpu._is_amx_tile_supported():
        return FAST, "the CPU has AMX"
    if _onednn_may_use(*BF16_ISAS) and torch.cpu._is_avx512_bf16_supported():
        return FAST, "the CPU has AVX512_BF16"
    return FULL, "the CPU has neither AMX nor AVX512_BF16"


def autocast(fast: bool, device_type: str = "cpu") -> torch.autocast:
    """Return a context that computes in bf16 if `fast`, else in float32."""
    return torch.autocast(device_type, torch.bfloat16, enabled=fast)


def scales_gradients(plugin: object) -> bool:
    """Return True if a Lightning precision plugin, such as that of 16-mixed, has a loss scaler."""
    return getattr(plugin, "scaler", None) is not None


def _onednn_may_use(*isas: str) -> bool:
    """Return True if ONEDNN_MAX_CPU_ISA lets oneDNN use at least one of these."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    return torch.backends.mkldnn.is_available() and (
        allowed in ("DEFAULT", "ALL") or any(isa in allowed for isa in isas)
    )
