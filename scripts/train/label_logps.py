"""The log-probability of one label a row, by fewer passes over the logits than autograd would make of its formula."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# so many logits of float32 stay in the cache of a core
IN_CACHE = 2**18


def label_logps(logits: Tensor, labels: Tensor) -> Tensor:
    """[S] float32, x_label - logsumexp(x) of logits [S, V] in any precision."""
    apply: Any = LabelLogps.apply
    found: Tensor = apply(logits, labels)
    return found


class LabelLogps(torch.autograd.Function):
    """Its gradient by the logits is 1 at the label and 0 elsewhere, minus softmax(x)."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        normaliser = torch.cat([piece.float().logsumexp(-1) for piece in torch.split(logits, rows_of(logits))])
        ctx.save_for_backward(logits, labels, normaliser)
        chosen: Tensor = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        return chosen.float() - normaliser

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        logits, labels, normaliser = ctx.saved_tensors
        answer = torch.empty_like(logits)
        rows = rows_of(logits)
        pieces = zip(*(torch.split(each, rows) for each in (logits, answer, normaliser, gradients[0], labels)), strict=True)
        for piece, out, of_row, by, label in pieces:
            weights = (piece.float() - of_row.unsqueeze(-1)).exp_().mul_(-by.unsqueeze(-1))
            out.copy_(weights.scatter_add_(-1, label.unsqueeze(-1), by.unsqueeze(-1)))
        return answer, None


def rows_of(logits: Tensor) -> int:
    """How many rows are worked on together: on a GPU all of them, where a kernel is launched for each piece."""
    return max(1, IN_CACHE // logits.shape[-1]) if logits.device.type == "cpu" else max(1, len(logits))
