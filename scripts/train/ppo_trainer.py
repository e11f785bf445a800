"""
TRL 1.12.0's PPOTrainer with what it lacks: it goes on from a checkpoint, stops when it is told to, draws its prompts by the seed, and
is evaluated. It runs a loop of its own, which begins at the first step whatever it is given, so it is handed the steps that are left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from exits import Interrupted, stop_asked
from reward_head import padded
from torch import Tensor
from transformers import TrainerCallback, TrainerState
from trl.experimental.ppo import PPOConfig, PPOTrainer  # type: ignore[import-not-found, unused-ignore]


@dataclasses.dataclass
class Arguments(PPOConfig):  # type: ignore[misc, unused-ignore]
    """With the field that all trainings of zephyr have: tokens of prompt and answer. The prompts are chosen by it."""

    max_length: int | None = None


class ResumedPPO(PPOTrainer):  # type: ignore[misc, unused-ignore]
    """`train_dataset` and `held_out` have the column `prompt`, lists of token ids."""

    # TRL 1.13, by which types are checked, has no such trainer
    state: Any
    model: Any
    eval_dataset: Any

    def __init__(self, *, train_dataset: Any, held_out: Any, **more: Any) -> None:
        super().__init__(train_dataset=train_dataset.rename_column("prompt", "input_ids"), data_collator=list, **more)
        # its own kind of state has one field more, with which no checkpoint of it can be read
        state = TrainerState(**{field.name: getattr(self.state, field.name) for field in dataclasses.fields(TrainerState)})
        self.state = state
        self.begun: tuple[TrainerState, str] | None = None
        self.total = self.args.num_total_batches
        self.eval_dataset = held_out if len(held_out) > 0 else None
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, Ending):
                callback.trainer = self

    def train(self, resume_from_checkpoint: str | None = None) -> None:
        done = 0
        if resume_from_checkpoint is not None:
            self.begun = (TrainerState.load_from_json(str(Path(resume_from_checkpoint) / "trainer_state.json")), resume_from_checkpoint)
            done = self.begun[0].global_step
            self._load_from_checkpoint(resume_from_checkpoint)
            self._load_optimizer_and_scheduler(resume_from_checkpoint)
        self.args.num_total_batches = self.total - done
        self.dataloader = self.batches(done)
        super().train()
        self.keep_policy()

    def batches(self, done: int) -> Iterator[dict[str, Tensor]]:
        """Prompts of each step from that of `done` on, padded on the left; their order in an epoch is that of the seed and the epoch."""
        rows, size, pad = self.train_dataset["input_ids"][:], self.args.local_batch_size, self.processing_class.pad_token_id
        each = len(rows) // size
        for step in range(done, self.total):
            order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.args.seed + step // each)).tolist()
            chosen = [rows[place] for place in order[step % each * size :][:size]]
            width = max(map(len, chosen))
            yield {"input_ids": torch.tensor([[pad] * (width - len(ids)) + ids for ids in chosen])}

    def restored(self) -> None:
        """The loop has begun and believes that it is the first one: gives it back what its checkpoint knows."""
        self.state.max_steps = self.total
        if self.begun is not None:
            state, folder = self.begun
            self.state.global_step, self.state.log_history = state.global_step, state.log_history
            self.state.episode = state.global_step * self.args.batch_size
            self._load_rng_state(folder)

    def keep_policy(self) -> None:
        """From here on the policy is the model: the values were needed to train it."""
        self.model = self.model_wrapped = self.accelerator.unwrap_model(self.model).policy

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        state = TrainerState.load_from_json(str(Path(resume_from_checkpoint) / "trainer_state.json"))
        if state.global_step >= state.max_steps:
            self.keep_policy()

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The mean reward of answers to held-out prompts, drawn by the seed; one that did not end is scored where it was cut."""
        rows, at_once, end = self.eval_dataset["prompt"][:], self.args.per_device_eval_batch_size, self.processing_class.eos_token_id
        pad, device = self.processing_class.pad_token_id, self.accelerator.device
        self.model.eval()
        rewards: list[float] = []
        ended = 0
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(self.args.seed)
            for start in range(0, len(rows), at_once):
                prompts = rows[start : start + at_once]
                width = max(map(len, prompts))
                ids = torch.tensor([[pad] * (width - len(one)) + one for one in prompts], device=device)
                sampling = {"do_sample": True, "temperature": self.args.temperature, "top_k": 0, "top_p": 1.0}
                made = self.model.generate(
                    input_ids=ids, attention_mask=(ids != pad).long(), max_new_tokens=self.args.response_length, pad_token_id=pad, eos_token_id=end, **sampling
                )
                answers = [cut_behind(answer, end) for answer in made[:, width:].tolist()]
                ended += sum(answer[-1] == end for answer in answers)
                texts = padded([one + answer for one, answer in zip(prompts, answers, strict=True)], pad, device)
                rewards += self.reward_model(**texts, use_cache=False).logits[:, 0].float().tolist()
        mean = sum(rewards) / len(rewards)
        metrics = {"eval_loss": -mean, "eval_reward": mean, "eval_ended": ended / len(rewards)}
        self.log(metrics)
        return metrics


def cut_behind(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


class Ending(TrainerCallback):
    """Ends the loop where `watch` asks it to, which it does not heed itself; `watch` tells no speed of steps of unknown length."""

    def __init__(self, watch: TrainerCallback) -> None:
        self.watch, self.trainer = watch, cast(Any, None)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        type(self.watch).meter = None  # type: ignore[attr-defined]
        self.trainer.restored()

    def on_save(self, *_: Any, **__: Any) -> None:
        if stop_asked():
            self.trainer.saving.wait()
            raise Interrupted
