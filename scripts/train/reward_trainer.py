"""
TRL's RLOOTrainer on prompts of token ids, with rewards of the very tokens that were sampled. TRL itself decodes an answer and puts
the text together anew: there a cut answer gets an end, or a finished one loses it, and the reward model judges another text.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sized
from typing import Any, cast

import torch
from reward_head import Scorer
from torch import Tensor
from torch.utils.data import Sampler
from transformers import TrainerCallback
from trl import RLOOConfig, RLOOTrainer
from trl.trainer.utils import disable_dropout_in_model


@dataclasses.dataclass
class Arguments(RLOOConfig):
    """With the field that all trainings of zephyr have: tokens of prompt and answer. The prompts are chosen by it."""

    max_length: int | None = None


class RewardedTrainer(RLOOTrainer):
    """
    `train_dataset` and `eval_dataset` have the column `prompt`, lists of token ids; `score` gives the rewards of texts of token
    ids. An answer that was cut has no reward: it counts neither in the mean that others are compared with nor in the loss.
    `ref_model` is what the policy is held to; without one, and with an adapter, that is the policy without the adapter.
    """

    args: Arguments
    model: Any

    def __init__(self, *, args: Arguments, score: Scorer, ref_model: Any, processing_class: Any, **more: Any) -> None:
        self.score, end = score, processing_class.eos_token_id

        def reward(prompts: list[list[int]], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
            ended = [place for place, ids in enumerate(completion_ids) if ids[-1] == end]
            rewards = dict(zip(ended, score([prompts[place] + completion_ids[place] for place in ended]), strict=True))
            return [rewards.get(place) for place in range(len(prompts))]

        # TRL would load a reference by its own rules: in float32, and whole where the policy is sharded
        beta, args.beta = args.beta, 0.0
        super().__init__(args=args, reward_funcs=reward, processing_class=processing_class, **more)
        args.beta = self.beta = beta
        if ref_model is not None:
            disable_dropout_in_model(ref_model)
            self.ref_model = self.accelerator.prepare_model(ref_model, evaluation_mode=True)

    def _tokenize_prompts(self, prompts: list[list[int]]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return prompts, None, {}

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        # TRL's config has filled these in; their types are those of before
        batch, repeated, times = (cast(int, each) for each in (self.args.generation_batch_size, self.args.steps_per_generation, self.num_generations))
        rows = cast(Sized, self.train_dataset if dataset is None else dataset)
        return EpochSampler(rows, batch // times, times, repeated, self.args.seed)

    def evaluate(self, *arguments: Any, **more: Any) -> dict[str, float]:
        """Answers are drawn by the seed alone, so that they are the same whatever went before in this process."""
        with torch.random.fork_rng():
            torch.manual_seed(self.args.seed + self.accelerator.process_index)
            metrics: dict[str, float] = super().evaluate(*arguments, **more)
        return metrics

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None) -> tuple[Tensor, None, None]:
        """The mean reward of held-out prompts, negative as a loss is; 0 where no answer of a batch has ended."""
        self._prepare_inputs(inputs)
        # of one answer to each prompt there is no spread
        self._metrics["eval"].pop("frac_reward_zero_std")
        reward = self._metrics["eval"]["reward"][-1]
        return torch.tensor(0.0 if math.isnan(reward) else -reward, device=self.args.device), None, None


class EpochSampler(Sampler[int]):
    """
    Places of `at_once` prompts, each `times` over, and that `repeated` over for as many micro batches, as TRL's RepeatSampler gives
    them. Its order is that of the seed and the epoch: TRL's is drawn by a generator that a resume begins anew, and a
    training that goes on in its second epoch would see the first one's order again.
    """

    def __init__(self, rows: Sized, at_once: int, times: int, repeated: int, seed: int) -> None:
        self.count, self.at_once, self.times, self.repeated, self.seed, self.epoch = len(rows), at_once, times, repeated, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        draws = torch.Generator().manual_seed(self.seed + self.epoch)
        order: list[int] = torch.randperm(self.count, generator=draws).tolist()
        for start in range(0, self.count - self.at_once + 1, self.at_once):
            for _ in range(self.repeated):
                yield from (place for place in order[start : start + self.at_once] for _ in range(self.times))

    def __len__(self) -> int:
        return self.count // self.at_once * self.at_once * self.times * self.repeated


def unmetered(watch: TrainerCallback) -> TrainerCallback:
    """Has `watch` tell no speed: how many tokens a step has is known once its answers are there."""

    class Unmetered(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            type(watch).meter = None  # type: ignore[attr-defined]

    return Unmetered()
