"""Which precision trains fastest on the processor at hand."""

import os

import torch

FAST, FULL = "bf16-mixed", "32-true"
BF16_ISAS = ("BF16", "FP16", "AVX10", "AMX")
"""In the names that ONEDNN_MAX_CPU_ISA knows: instruction sets with dot products of bf16."""


def choose(accelerator: str) -> tuple[str, str]:
    """The value for `trainer.precision`, and why.

    bf16 autocast where the GPU supports it; where the CPU has AMX, whose tiles make it 2 to 5
    times faster than float32, or the dot products of AVX512_BF16, which make it twice as fast
    (benchmarks/results/training.md); on other CPUs bf16 is emulated and slow.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return FAST, "the GPU computes in bf16"
        return FULL, "the GPU has no bf16"
    if accelerator == "mps" or (accelerator in ("auto", "gpu") and torch.mps.is_available()):
        return FULL, "bf16 is not dependable on MPS"
    if _onednn_may_use("AMX") and torch.cpu._is_amx_tile_supported():
        return FAST, "the CPU has AMX"
    if _onednn_may_use(*BF16_ISAS) and torch.cpu._is_avx512_bf16_supported():
        return FAST, "the CPU has AVX512_BF16"
    return FULL, "the CPU has neither AMX nor AVX512_BF16"


def autocast(fast: bool, device_type: str = "cpu") -> torch.autocast:
    """The context that draws in bf16 where that is wanted."""
    return torch.autocast(device_type, torch.bfloat16, enabled=fast)


def scales_gradients(plugin: object) -> bool:
    """Whether a plugin of Lightning's, such as that of 16-mixed, multiplies them with a factor."""
    return getattr(plugin, "scaler", None) is not None


def _onednn_may_use(*isas: str) -> bool:
    """Whether the library that computes convolutions is not held below all of these."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    return torch.backends.mkldnn.is_available() and (
        allowed in ("DEFAULT", "ALL") or any(isa in allowed for isa in isas)
    )
