"""Log-probabilities of the two answers of a preference pair, from one row without padding in which they share their prompt."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pair_attention import use_pair_attention
from pair_batches import PairBatch

if TYPE_CHECKING:
    from torch import Tensor

# Logits that are held at once: 256 MB of float32. Above that they are made in pieces, and once more in the backward pass.
LOGITS_AT_ONCE = 2**26
# mark on a model whose logits are not what its output head gives
CHANGES_LOGITS = "zephyr_changes_logits"


class TokenScores(NamedTuple):
    """Of each of the S scored tokens, float32."""

    # [S] log p(token)
    logps: Tensor
    # [S] log of the sum of p squared over the vocabulary, without gradient; where it was asked for
    collisions: Tensor | None


def pair_logps(model: Any, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """
    Sums of the log-probabilities of the chosen and of the rejected answers, [N] float32 each, as log p(answer | prompt) of
    Rafailov et al. 2023 (Direct Preference Optimization), eq. 7. `model` is a causal language model of transformers, bare, with
    a peft adapter, or wrapped by DDP or fully_shard; from then on it takes rows of pairs alone.
    """
    import torch

    sums = torch.stack([part.sum() for part in torch.split(token_scores(model, batch).logps, batch.answers)])
    return sums[0::2], sums[1::2]


def token_scores(model: Any, batch: PairBatch, collisions: bool = False) -> TokenScores:
    from torch import equal

    bare = causal_model(model)
    use_pair_attention(bare)
    layout, columns = batch.layout, 2 if collisions else 1
    ask = functools.partial(
        model, input_ids=batch.input_ids, position_ids=layout.position_ids, use_cache=False, logits_to_keep=batch.scored, layout=layout
    )
    if not getattr(bare, CHANGES_LOGITS, False):
        with scoring_head(bare, batch.labels, columns) as answers:
            scores: Tensor = ask().logits
        if scores.data_ptr() != answers[-1].data_ptr() and not equal(scores, answers[-1]):
            # some models cap or scale the logits: the head is then not what scores
            setattr(bare, CHANGES_LOGITS, True)
    if getattr(bare, CHANGES_LOGITS, False):
        scores = score(ask().logits[0], batch.labels, columns).unsqueeze(0)
    return TokenScores(scores[0, :, 0], scores[0, :, 1] if collisions else None)


def score(logits: Tensor, labels: Tensor, columns: int) -> Tensor:
    """[S, columns]: of logits [S, V] the log-probability of each label, and with two columns that of a collision."""
    import torch
    from label_logps import label_logps

    found = label_logps(logits, labels)
    if columns == 1:
        return found.unsqueeze(-1)
    sharp = logits.detach().float()
    return torch.stack([found, (2 * sharp).logsumexp(-1) - 2 * sharp.logsumexp(-1)], dim=-1)


def causal_model(model: Any) -> Any:
    """The model of transformers inside the wrappers of DDP and peft."""
    from peft import PeftModel
    from torch.nn.parallel import DistributedDataParallel

    if isinstance(model, DistributedDataParallel):
        model = model.module
    return model.get_base_model() if isinstance(model, PeftModel) else model


@contextlib.contextmanager
def scoring_head(bare: Any, labels: Tensor, columns: int) -> Iterator[list[Tensor]]:
    """
    In here the output head of a model answers the hidden states [1, S, H] with the scores of the labels, [1, S, columns], in place of
    all logits, and keeps its answers. It stays the module that DDP and fully_shard know, so that their hooks run, and so do
    adapters on it.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    head = bare.get_output_embeddings()
    project: Callable[[Tensor], Tensor] = head.forward
    own = head.__dict__.get("forward")
    rows = max(1, LOGITS_AT_ONCE // bare.config.get_text_config().vocab_size)
    answers: list[Tensor] = []

    def piece(hidden: Tensor, wanted: Tensor) -> Tensor:
        return score(project(hidden), wanted, columns)

    def forward(hidden: Tensor) -> Tensor:
        if len(labels) <= rows:
            scores = piece(hidden[0], labels)
        else:
            pieces = zip(torch.split(hidden[0], rows), torch.split(labels, rows), strict=True)
            scores = torch.cat([checkpoint(piece, *each, use_reentrant=False) for each in pieces])
        answers.append(scores.unsqueeze(0))
        return answers[-1]

    head.forward = forward
    try:
        yield answers
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own
