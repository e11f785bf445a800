"""How much a training computes, and what share of its devices that is: model FLOP utilisation (MFU), by step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

# Dense bfloat16 with sums in float32, in 1e12 operations a second and device, by the first of these that is in the name which
# CUDA gives. From NVIDIA's data sheets of each device, where they print figures with sparsity half of those.
PEAK_TFLOPS = (
    ("GB200", 2450), ("B300", 2250), ("B200", 2250), ("B100", 1750), ("GH200", 989), ("H200 NVL", 835), ("H200", 989),
    ("H100 PCIe", 756), ("H100 NVL", 835), ("H100", 989), ("H800 PCIe", 756), ("H800", 989), ("H20", 148), ("A100", 312), ("A800", 312),
    ("RTX 6000 Ada", 364), ("L40S", 362), ("L40", 181), ("L4", 121), ("A40", 150), ("A30", 165), ("A10G", 70), ("A10", 125),
    ("RTX A6000", 155), ("RTX 5090", 210), ("RTX 4090", 165), ("RTX 3090", 71),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class StepWork:
    """What goes through the model in one optimizer step, over all ranks and micro batches; the mean over an epoch."""

    # padding is none
    tokens: float
    # pairs of a token and one that it sees, itself included
    seen: float
    # passes of a reference, without gradients, beside the one that trains
    references: int = 0


def step_work(tokens: int, seen: int, rows: int, global_batch: int, references: int = 0) -> StepWork:
    """Of an epoch with so many of them: its last step may have fewer rows than the others."""
    steps = max(math.ceil(rows / global_batch), 1)
    return StepWork(tokens / steps, seen / steps, references)


def seen_in_documents(lengths: Iterable[int]) -> int:
    return sum(length * (length + 1) // 2 for length in lengths)


def seen_in_pairs(prompts: Iterable[int], *answers: Iterable[int]) -> int:
    """Of rows in which both answers follow one prompt; see pair_batches."""
    return sum(
        seen_in_documents([prompt]) + sum(seen_in_documents([prompt + answer]) - seen_in_documents([prompt]) for answer in both)
        for prompt, both in zip(prompts, zip(*answers, strict=True), strict=True)
    )


def flops(model: Any, work: StepWork) -> float | None:
    """
    Operations of one step, as in PaLM (Chowdhery et al. 2022, appendix B), but for attention that sees what came before alone:
    of a matrix 2 a token and weight forward, as many for the gradient of its input, and again for that of a trained weight; of
    attention 4 forward, for each layer, number of a query and token that it sees, and 8 backward. What checkpointing computes
    a second time is none of it. None for a model that does not tell its sizes.
    """
    import torch

    config = model.config
    sizes = [getattr(config, name, None) for name in ("num_hidden_layers", "num_attention_heads", "hidden_size")]
    if None in sizes:
        return None
    layers, heads, hidden = (int(size) for size in sizes if size is not None)
    width = heads * (getattr(config, "head_dim", None) or hidden // heads)
    matrices = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    # by their sides: a weight of four bits is stored in another shape
    weights = sum(module.in_features * module.out_features for module in matrices)
    trained = sum(module.in_features * module.out_features for module in matrices if module.weight.requires_grad)
    forward = 2 * weights * work.tokens + 4 * layers * width * work.seen
    return (2 + work.references) * forward + 2 * trained * work.tokens + 4 * layers * width * work.seen


def peak_flops() -> float | None:
    """Of this rank's device, in operations a second; None where it is not known, on a CPU too."""
    import torch

    return peak_of(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def peak_of(device: str) -> float | None:
    return next((tflops * 1e12 for name, tflops in PEAK_TFLOPS if name in device), None)


class Meter:
    """Turns steps and seconds into real tokens a second, and into MFU where the device's peak is known."""

    def __init__(self, model: Any, work: StepWork, ranks: int, step: int, now: float) -> None:
        self.work, self.step, self.since = work, step, now
        peak, needed = peak_flops(), flops(model, work)
        self.least_seconds = needed / peak / ranks if peak is not None and needed is not None else None

    def read(self, step: int, now: float) -> dict[str, float]:
        """Since it was last read; of all ranks together."""
        steps, seconds = step - self.step, max(now - self.since, 1e-6)
        self.step, self.since = step, now
        rates = {"tokens_per_s": round(steps * self.work.tokens / seconds, 1)}
        if self.least_seconds is not None:
            rates["mfu"] = round(steps * self.least_seconds / seconds, 4)
        return rates
