"""
TRL's DPOTrainer on rows of pairs without padding: the same losses, gradients and reward metrics with less work (see pair_batches
and pair_logps). What only its log would show and costs a pass over all logits is left out: entropy, mean logits, token accuracy.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from exits import JobError
from pair_batches import Pair, PairBatch, balanced, micro_batches_needed, pair_batch, row_tokens, token_budget
from pair_logps import TokenScores, token_scores
from preference_losses import SORTING, Scores, pair_losses
from torch import Tensor
from trl import DPOConfig, DPOTrainer
from trl.models.utils import disable_gradient_checkpointing
from trl.trainer.utils import use_adapter

METRICS = ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"]
# fields of TRL's config that ask for something which rows of pairs have no place for
REFUSED = ("use_liger_kernel", "pad_to_multiple_of")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Pairs on their way from the data loader, which looks into lists and dictionaries but not in here."""

    pairs: list[Pair]


def collate(pairs: list[Pair]) -> dict[str, Any]:
    # as long as TRL's batches are, where every answer is a row: the mean over an evaluation set weighs them by it
    return {"answers": torch.zeros(2 * len(pairs), dtype=torch.uint8), "rows": Rows(pairs)}


class PreferenceTrainer(DPOTrainer):
    """
    Takes rows that are tokenised already, and the log-probabilities of the reference from their columns or from `ref_model` (with
    an adapter, from the model without it). A step takes the pairs of all its accumulated batches at once and divides them by
    their tokens.
    """

    args: DPOConfig
    model: Any

    def __init__(self, *, args: DPOConfig, **more: Any) -> None:
        for field in REFUSED:
            if getattr(args, field):
                raise JobError(f'Cannot train on pairs with "{field}" in config.trl, which has no effect without padding')
        if args.precompute_ref_log_probs and args.ld_alpha is not None:
            raise JobError('Cannot train with "ld_alpha" in config.trl against a cached reference, which has sums over whole answers')
        super().__init__(args=args, data_collator=collate, **more)
        if self.aux_loss_enabled:
            raise JobError("Cannot train a mixture of experts on pairs with an auxiliary loss, expected config.trl.router_aux_loss_coef to be 0")
        assert args.max_length is not None
        self._budget = token_budget(args.per_device_train_batch_size, args.max_length)
        self._step_metrics: list[Tensor] = []
        # TRL and transformers leave their own methods untyped
        self._micro_step: Callable[..., Tensor] = super().training_step
        self._micro_loss: Callable[..., Tensor] = super().compute_loss

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> tuple[list[Any], None]:
        """The batches of one step. The last has the pairs of all, in micro batches of as many on every rank; the others are empty."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        groups = [batch["rows"].pairs for batch in batches]
        if not groups:
            return [], None
        if not SORTING & set(self.loss_types):
            groups = self._by_tokens([pair for group in groups for pair in group], device)
        micro_batches = [pair_batch(group, device) for group in groups]
        pairs = sum(len(batch) for batch in micro_batches)
        # Trainer counts the tokens of a batch by its "input_ids"
        nothing = {"input_ids": torch.empty(1, 0, dtype=torch.long, device=device), "micro_batches": []}
        tokens = torch.cat([batch.input_ids for batch in micro_batches], dim=1)
        share = {"input_ids": tokens, "micro_batches": [{"batch": batch, "share": len(batch) / pairs} for batch in micro_batches]}
        return [nothing] * (len(batches) - 1) + [share], None

    def _by_tokens(self, pairs: list[Pair], device: torch.device) -> list[list[Pair]]:
        tokens = [row_tokens(pair) for pair in pairs]
        needed = micro_batches_needed(tokens, self._budget)
        # sharded models talk in every pass: no rank may take one more than the others
        count = int(self.accelerator.gather(torch.tensor([needed], device=device)).max())
        return [[pairs[place] for place in places] for places in balanced(tokens, count)]

    def training_step(self, model: Any, inputs: Mapping[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Gradients of the mean over all pairs of the step on this rank, and that mean."""
        loss = torch.zeros((), device=self.args.device)
        micro_batches = inputs["micro_batches"]
        # micro batches say themselves what they weigh
        self.current_gradient_accumulation_steps = 1
        for number, micro_batch in enumerate(micro_batches, 1):
            last = number == len(micro_batches)
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                loss += self._micro_step(model, micro_batch, num_items_in_batch)
        if micro_batches:
            self._total_train_tokens += int(self.accelerator.gather(torch.tensor([inputs["input_ids"].numel()], device=loss.device)).sum())
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
            self._log_metrics("train")
        return loss

    def prediction_step(
        self, model: Any, inputs: Mapping[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[Tensor, None, None]:
        batch = pair_batch(inputs["rows"].pairs, self.args.device)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = self._micro_loss(model, {"batch": batch, "share": 1.0})
        self._log_metrics("eval")
        return loss, None, None

    def _compute_loss(self, model: Any, inputs: Mapping[str, Any], return_outputs: bool) -> Tensor:
        batch: PairBatch = inputs["batch"]
        # the reference first, when no activations of the policy are held yet
        reference = batch.reference if self.precompute_ref_logps else self._sums(self._reference(model, batch), batch)
        assert reference is not None
        policy = token_scores(model, batch, collisions=self.use_weighting)
        chosen, rejected = self._sums(policy, batch)
        lengths = torch.tensor(batch.answers, device=chosen.device)
        scores = Scores(chosen, rejected, *reference, lengths[0::2], lengths[1::2])
        losses = pair_losses(scores, self.args)
        if self.use_weighting:
            losses = losses * weights(policy, batch)
        self._note(scores)
        share: float = inputs["share"]
        return losses.mean() * share

    def _reference(self, model: Any, batch: PairBatch) -> TokenScores:
        options: Any = self.args.gradient_checkpointing_kwargs
        with torch.no_grad(), disable_gradient_checkpointing(self.model, options):
            if self.ref_model is not None:
                return token_scores(self.ref_model, batch)
            bare = self.accelerator.unwrap_model(model)
            with use_adapter(bare, adapter_name="ref" if "ref" in bare.peft_config else None):
                return token_scores(self.model, batch)

    def _sums(self, scores: TokenScores, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """
        Log-probabilities of the chosen and of the rejected answers. With `ld_alpha` the tokens of the longer one that are beyond the
        length of the other count that much less (Liu et al. 2024, LD-DPO).
        """
        parts = torch.split(scores.logps, batch.answers)
        if self.ld_alpha is None:
            sums = [part.sum() for part in parts]
        else:
            shared = [min(pair) for pair in zip(batch.answers[0::2], batch.answers[1::2], strict=True) for _ in range(2)]
            sums = [part[:both].sum() + self.ld_alpha * part[both:].sum() for part, both in zip(parts, shared, strict=True)]
        return torch.stack(sums[0::2]), torch.stack(sums[1::2])

    def _note(self, scores: Scores) -> None:
        """Keeps what the log is made of, until the step is over."""
        with torch.no_grad():
            chosen, rejected = self.beta * scores.chosen_ratio, self.beta * scores.rejected_ratio
            better = (chosen > rejected).float()
            self._step_metrics.append(
                torch.stack([chosen, rejected, better, chosen - rejected, scores.chosen_logps.detach(), scores.rejected_logps.detach()])
            )

    def _log_metrics(self, mode: str) -> None:
        """One entry of each metric under TRL's name: the mean over the pairs of all ranks."""
        means = torch.cat(self._step_metrics, dim=1).mean(dim=1, keepdim=True)
        self._step_metrics.clear()
        for name, mean in zip(METRICS, self.accelerator.gather(means.T).mean(dim=0).tolist(), strict=True):
            self._metrics[mode][name].append(mean)


def weights(scores: TokenScores, batch: PairBatch) -> Tensor:
    """[N] how likely the policy itself is to give both answers, against how sure it is of any (Zhou et al. 2024, WPO, eq. 2)."""
    assert scores.collisions is not None
    certainty = scores.logps.detach() - scores.collisions
    means = torch.stack([part.sum() / max(len(part), 1) for part in torch.split(certainty, batch.answers)])
    return (means[0::2] + means[1::2]).exp()
