"""A reward model scores answers: one number for each completion, without any call to a teacher."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat_tokenizer import load_tokenizer
from checkpoint import checkpoint_to_resume
from exits import BAD_DATA, JobError
from job import Job
from json_lines import write_json_lines
from records import Records, work_through
from run_job import run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REWARDS = "rewards.jsonl"
COLUMNS = ["completion_id", "prompt", "text", "flags"]


@dataclasses.dataclass(frozen=True)
class Config:
    batch_size: int
    # tokens of prompt and answer; a longer text would be judged by a part of it, so it gets no reward
    max_length: int


@dataclasses.dataclass(frozen=True)
class Answer:
    completion_id: str
    ids: list[int]


def main(job: Job, config: Config) -> None:
    if config.batch_size < 1 or config.max_length < 1:
        raise JobError("Cannot score nothing, expected batch_size and max_length above 0")
    resume = checkpoint_to_resume(job)
    # with the template that the reward model was trained with, which is its own
    tokenizer = load_tokenizer(job, "model")
    if tokenizer.chat_template is None:
        raise JobError('Cannot put prompt and answer together, expected a chat template in the input "model"', BAD_DATA)
    answers = list(read_answers(job.input("completions"), tokenizer))
    if len({answer.completion_id for answer in answers}) != len(answers):
        raise JobError("Cannot tell answers apart, expected every completion_id once", BAD_DATA)
    # like lengths together, so that little is padded; the same batches whenever and wherever it runs
    fitting = sorted((a for a in answers if len(a.ids) <= config.max_length), key=lambda a: (len(a.ids), a.completion_id))
    batches = [fitting[start : start + config.batch_size] for start in range(0, len(fitting), config.batch_size)]
    job.emit("data", rows=len(answers), batches=len(batches))
    score = load_model(job, tokenizer, fitting)

    def records_of(batch: list[Answer]) -> Records:
        rewards = score(batch)
        for answer, reward in zip(batch, rewards, strict=True):
            if not math.isfinite(reward):
                raise JobError(f'Cannot use the reward {reward} of "{answer.completion_id}", expected a number', BAD_DATA)
        return [
            {"completion_id": answer.completion_id, "reward": reward, "tokens": len(answer.ids)}
            for answer, reward in zip(batch, rewards, strict=True)
        ]

    records = work_through(job, batches, resume, records_of, "rewards")
    too_long = [answer for answer in answers if len(answer.ids) > config.max_length]
    rewards = [record["reward"] for record in records]
    records.extend({"completion_id": answer.completion_id, "reward": None, "tokens": len(answer.ids)} for answer in too_long)
    records.sort(key=lambda record: record["completion_id"])
    write_json_lines(job.out / REWARDS, records)
    metrics: dict[str, Any] = {"rewards": len(rewards), "too_long": len(too_long)}
    if rewards:
        metrics |= {"mean": math.fsum(rewards) / len(rewards), "lowest": min(rewards), "highest": max(rewards)}
    job.finish(len(batches), len(batches), metrics)


def read_answers(folder: Path, tokenizer: PreTrainedTokenizerBase) -> Iterator[Answer]:
    """Completions that say something, as the model is to read them. A missing or an empty one has nothing to score."""
    import pyarrow.parquet as parquet

    paths = sorted((folder / "completions").glob("*.parquet"))
    if not paths:
        raise JobError('Cannot find the answers, expected "completions/*.parquet" in the input "completions"', BAD_DATA)
    for path in paths:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=1000, columns=COLUMNS):
            for row in batch.to_pylist():
                if {"missing", "empty"} & set(row["flags"] or []):
                    continue
                turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["text"]}]
                text = tokenizer.apply_chat_template(turns, tokenize=False)
                yield Answer(row["completion_id"], list(tokenizer(text, add_special_tokens=False)["input_ids"]))


def load_model(job: Job, tokenizer: PreTrainedTokenizerBase, answers: list[Answer]) -> Callable[[list[Answer]], list[float]]:
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(job.hardware.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    dtype = torch.bfloat16 if job.hardware.device == "cuda" else torch.float32
    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            job.input("model"), dtype=dtype, attn_implementation="sdpa", use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise JobError(f'Cannot load the reward model of the input "model": {error}', BAD_DATA) from error
    if loading["missing_keys"]:
        # transformers would put random numbers there: rewards of a head that is not trained
        names = ", ".join(sorted(loading["missing_keys"])[:3])
        raise JobError(f'Cannot score with the input "model", expected weights of a reward head: {names} missing', BAD_DATA)
    if model.config.num_labels != 1:
        raise JobError(f'Cannot score with the input "model", expected one label, got {model.config.num_labels}', BAD_DATA)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = padding(tokenizer, answers)
    pad = model.config.pad_token_id
    model = model.to(job.hardware.device).eval()

    def score(batch: list[Answer]) -> list[float]:
        width = max(len(answer.ids) for answer in batch)
        ids = torch.tensor([answer.ids + [pad] * (width - len(answer.ids)) for answer in batch], device=job.hardware.device)
        mask = torch.tensor([[1] * len(a.ids) + [0] * (width - len(a.ids)) for a in batch], device=job.hardware.device)
        with torch.inference_mode():
            rewards: list[float] = model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
        return rewards

    return score


def padding(tokenizer: PreTrainedTokenizerBase, answers: list[Answer]) -> int:
    """
    A token that ends no text: the model reads the reward off the last token that is not padding, so padding with the token
    that closes a turn would have it read another one.
    """
    ends = {answer.ids[-1] for answer in answers}
    choices: list[int | None] = [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.bos_token_id, *range(len(tokenizer))]
    return next(choice for choice in choices if choice is not None and choice not in ends)


if __name__ == "__main__":
    run("reward", Config, main)
