"""
A reward model of the pairs that prepare.py has tokenised, by TRL's RewardTrainer: the first half of the baseline that the article
compares direct preference optimization with.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attention
import load_model
import reward_head
import train_config
import training
from exits import BAD_DATA, JobError
from job import Job
from run_job import run
from throughput import seen_in_documents, step_work
from training_rows import PAIR_COLUMNS, read_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from datasets import Dataset

# held-out pairs whose rewards are taken before the model is saved, and again of the saved one
COMPARED = 16
# what one rounding of the weights may move a reward by, as a part of the largest one
MOVED = {"float32": 1e-3, "bfloat16": 0.1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(train_config.TrainConfig):
    pass


class CheckedJob(Job):
    """The same job, which does not end well before `complete` has; what it returns are further metrics."""

    def __init__(self, job: Job, complete: Callable[[], dict[str, Any]]) -> None:
        self.__dict__ = job.__dict__
        self._complete = complete

    def finish(self, global_step: int, max_steps: int, metrics: dict[str, Any]) -> None:
        super().finish(global_step, max_steps, {**metrics, **self._complete()})


def main(job: Job, config: Config) -> None:
    train_config.check(job, config)
    resume = training.checkpoint_to_resume(job, config)
    tokenizer = load_model.load_tokenizer(job, config, "model")
    (train_rows, cut), (test_rows, test_cut) = (finished(read_rows(job.input("data"), split), tokenizer) for split in ("train", "test"))
    if len(train_rows) == 0 or len(test_rows) == 0:
        raise JobError(
            f"Cannot train a reward model on {len(train_rows)} pairs and ask it about {len(test_rows)} held-out ones whose answers have an end, "
            "expected some of each: a test split, or prepare.testRows", BAD_DATA
        )  # fmt: skip
    lengths = [len(ids) for row in train_rows for ids in (row["chosen_ids"], row["rejected_ids"])]
    job.emit("data", rows=len(train_rows), test_rows=len(test_rows), tokens=sum(lengths), cut=cut + test_cut)

    # the heavy imports come here, when everything that can be refused has been
    import torch
    from transformers import set_seed
    from trl import RewardConfig, RewardTrainer

    torch.set_num_threads(job.hardware.threads)
    set_seed(config.seed)
    # evaluated once, at the end, when the rewards are taken that the saved model is to give as well
    arguments = train_config.trainer_arguments(job, config, RewardConfig, {"eval_strategy": "no"})
    reward_head.use_padding(tokenizer)
    reward_head.end_at_the_end_token(tokenizer)
    compared = [text for row in test_rows.select(range(min(COMPARED, len(test_rows)))) for text in (row["chosen_ids"], row["rejected_ids"])]

    trained: list[float] = []

    class Compared(RewardTrainer):
        def evaluate(self, *arguments: Any, **more: Any) -> dict[str, float]:
            metrics: dict[str, float] = super().evaluate(*arguments, **more)
            # all ranks are here, and must be: each needs the others for a layer that is sharded
            trained[:] = rewards_of(self, compared, job.hardware.micro_batch)
            return metrics

    trainer = training.trainer_class(job, config, Compared)(
        model=reward_head.load_to_train(job, config, job.input("model")),
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=test_rows,
        processing_class=tokenizer,
        callbacks=[training.watch(job, step_work(sum(lengths), seen_in_documents(lengths), len(train_rows), config.global_batch))],
        peft_config=reward_head.lora_config(config),
    )
    metrics = {"rows": len(train_rows), "cut": cut + test_cut, "attention": attention.resolve(config.attention, job.hardware.device, config.dtype)}
    checked = CheckedJob(job, lambda: complete(job, config, test_rows, trained))
    training.train(checked, config, trainer, resume, metrics)


def finished(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, int]:
    """
    Rows of `chosen_ids` and `rejected_ids`, each a prompt and an answer, and how many were left out: those with an answer that
    does not end in the end token. The reward of a text is read at its end, and a cut one has none.
    """
    from datasets import Dataset

    if rows.column_names != PAIR_COLUMNS:
        raise JobError(f'Cannot train on rows with the columns {", ".join(rows.column_names)}, expected {", ".join(PAIR_COLUMNS)}', BAD_DATA)
    answers = PAIR_COLUMNS[1:]
    kept = [row for row in rows.to_list() if all(row[name] and row[name][-1] == tokenizer.eos_token_id for name in answers)]
    return Dataset.from_list([{name: row["prompt_ids"] + row[name] for name in answers} for row in kept]), len(rows) - len(kept)


def rewards_of(trainer: Any, texts: list[list[int]], batch_rows: int) -> list[float]:
    """Of the model in training."""
    import torch

    was_training = trainer.model.training
    trainer.model.eval()
    rewards: list[float] = []
    with torch.no_grad(), trainer.compute_loss_context_manager():
        for start in range(0, len(texts), batch_rows):
            batch = reward_head.padded(texts[start : start + batch_rows], trainer.processing_class.pad_token_id, trainer.args.device)
            rewards += trainer.model(**batch, use_cache=False).logits[:, 0].float().tolist()
    trainer.model.train(was_training)
    return rewards


def complete(job: Job, config: Config, test_rows: Dataset, trained: list[float]) -> dict[str, Any]:
    """
    Makes a whole model of an adapter, then asks what was written about all held-out pairs. Throws unless it gives the rewards
    that the trained model gave.
    """
    if config.lora is not None:
        merge(job, config)
    score = reward_head.load_to_score(job.out, job.hardware.device, "float32" if job.hardware.device == "cpu" else config.dtype, job.hardware.micro_batch)
    chosen, rejected = score(test_rows["chosen_ids"][:]), score(test_rows["rejected_ids"][:])
    again = [reward for pair in zip(chosen, rejected, strict=True) for reward in pair][: len(trained)]
    off = max(abs(one - other) for one, other in zip(trained, again, strict=True)) / max(1.0, *map(abs, trained))
    if not off <= MOVED[config.dtype]:
        raise JobError(
            f"Cannot publish the reward model: as it was saved its rewards are off by {off:.2g} of the largest one from those that it gave "
            f"in training, expected at most {MOVED[config.dtype]:g}", BAD_DATA
        )  # fmt: skip
    margins = [one - other for one, other in zip(chosen, rejected, strict=True)]
    right = sum(margin > 0 for margin in margins)
    return {"pairs": len(margins), "accuracy": right / len(margins), "margin": math.fsum(margins) / len(margins), "furthest_reward": off}


def merge(job: Job, config: Config) -> None:
    """Puts the adapter in `out/` into the weights of its base, in float32, and leaves a whole model there."""
    import torch
    from peft import PeftModel

    adapter = job.folder / "adapter"
    shutil.rmtree(adapter, ignore_errors=True)
    adapter.mkdir()
    for path in list(job.out.glob("adapter_*")):
        shutil.move(path, adapter / path.name)
    model, _ = reward_head.loaded(job.input("model"), "float32", num_labels=1)
    reward_head.draw_head(model, config.seed)
    merged: Any = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    tokenizer = load_model.load_tokenizer(job, config, "model")
    reward_head.use_padding(tokenizer)
    merged.config.pad_token_id = tokenizer.pad_token_id
    for parameter in merged.parameters():
        parameter.data = parameter.data.to(getattr(torch, config.dtype))
    merged.config.dtype = getattr(torch, config.dtype)
    merged.save_pretrained(job.out, max_shard_size=training.LARGEST_FILE)
    shutil.rmtree(adapter)


if __name__ == "__main__":
    run("reward_model", Config, main, many_ranks=True)
