"""Log-probabilities of the two answers of a preference pair, from one row without padding in which they share their prompt."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pair_attention import use_pair_attention
from pair_batches import PairBatch

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Logits that are held at once: 256 MB of float32. Above that they are made in pieces, and once more in the backward pass.
LOGITS_AT_ONCE = 2**26


def pair_logps(model: Any, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """
    Sums of the log-probabilities of the chosen and of the rejected answers, [N] float32 each, as log p(answer | prompt) of
    Rafailov et al. 2023 (Direct Preference Optimization), eq. 7. `model` is a causal language model of transformers, bare, with
    a peft adapter, or wrapped by DDP or fully_shard; from then on it takes rows of pairs alone.
    """
    import torch

    parts = torch.split(token_logps(model, batch), batch.answers)
    sums = torch.stack([part.sum() for part in parts])
    return sums[0::2], sums[1::2]


def token_logps(model: Any, batch: PairBatch) -> Tensor:
    """[S] float32, the log-probability of each scored token."""
    bare = causal_model(model)
    use_pair_attention(bare)
    with scoring_head(bare.get_output_embeddings(), batch.labels, bare.config.get_text_config().vocab_size):
        logits: Tensor = model(
            input_ids=batch.input_ids, position_ids=batch.layout.position_ids, use_cache=False, logits_to_keep=batch.scored, layout=batch.layout
        ).logits  # fmt: skip
    return logits.view(-1)


def causal_model(model: Any) -> Any:
    """The model of transformers inside the wrappers of DDP and peft."""
    from peft import PeftModel
    from torch.nn.parallel import DistributedDataParallel

    if isinstance(model, DistributedDataParallel):
        model = model.module
    return model.get_base_model() if isinstance(model, PeftModel) else model


@contextlib.contextmanager
def scoring_head(head: torch.nn.Module, labels: Tensor, vocabulary: int) -> Iterator[None]:
    """
    In here the output head of a model answers the hidden states [1, S, H] with the log-probabilities of the labels, [1, S, 1], in place
    of all logits. It stays the module that DDP and fully_shard know, so that their hooks run, and so do adapters on it.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    project: Callable[[Tensor], Tensor] = head.forward
    own = head.__dict__.get("forward")

    def scores(hidden: Tensor, wanted: Tensor) -> Tensor:
        logits = project(hidden).float()
        chosen: Tensor = logits.gather(-1, wanted.unsqueeze(-1)).squeeze(-1)
        return chosen - logits.logsumexp(-1)

    def score(hidden: Tensor) -> Tensor:
        rows = max(1, LOGITS_AT_ONCE // vocabulary)
        if len(labels) <= rows:
            return scores(hidden[0], labels).view(1, -1, 1)
        pieces = zip(torch.split(hidden[0], rows), torch.split(labels, rows), strict=True)
        return torch.cat([checkpoint(scores, *piece, use_reentrant=False) for piece in pieces]).view(1, -1, 1)

    head.forward = score
    try:
        yield
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own
