"""Asks a model itself, before its first step, whether sequences that share a row stay apart in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exits import BAD_CONFIG, JobError
from pair_batches import pair_batch
from pair_logps import token_scores

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


def check_apart(model: Any, device: Any) -> None:
    """
    A change in one answer must not move a log-probability of the other answer or of another pair. It does in a model that mixes tokens
    elsewhere than in its attention, as recurrent layers and convolutions do. Every rank of a sharded model must call it.
    """
    import torch

    first, second = list(range(1, 7)), list(range(2, 7))
    changed = [7] * len(first)
    training, found = model.training, []
    model.eval()
    with torch.no_grad():
        for answer in (first, changed):
            pairs = [{"prompt_ids": second, "chosen_ids": answer, "rejected_ids": second}] * 2
            pairs[1] = {**pairs[1], "chosen_ids": first}
            found.append(token_scores(model, pair_batch(pairs, device)).logps[len(first) :])
    model.train(training)
    # a broken model gives no numbers, which others say more plainly
    if not torch.allclose(found[0], found[1], atol=1e-3, equal_nan=True):
        raise JobError("Cannot train on pairs that share a row: in this model they see each other", BAD_CONFIG)


def pairs_stay_apart() -> TrainerCallback:
    import torch
    from transformers import TrainerCallback

    class PairsStayApart(TrainerCallback):
        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
        ) -> None:
            with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
                check_apart(model, args.device)

    return PairsStayApart()
