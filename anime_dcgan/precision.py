"""Which precision trains fastest on the processor at hand."""

import os

import torch

FAST, FULL = "bf16-mixed", "32-true"


def choose(accelerator: str) -> tuple[str, str]:
    """The value for `trainer.precision`, and why.

    bf16 autocast where the GPU supports it or the CPU has AMX, whose tiles make it 2 to 5 times
    faster than float32; on other CPUs bf16 is emulated and slow.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return FAST, "the GPU computes in bf16"
        return FULL, "the GPU has no bf16"
    if accelerator == "mps" or (accelerator in ("auto", "gpu") and torch.mps.is_available()):
        return FULL, "bf16 is not dependable on MPS"
    if _has_amx():
        return FAST, "the CPU has AMX"
    return FULL, "the CPU has no AMX"


def _has_amx() -> bool:
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    return (
        torch.backends.mkldnn.is_available()
        and torch.cpu._is_amx_tile_supported()
        and (allowed in ("DEFAULT", "ALL") or "AMX" in allowed)
    )
