"""Prompts that a model answers while it learns from rewards: those of the prepared pairs, each once."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from exits import BAD_DATA, JobError
from job import Job
from training_rows import read_rows

if TYPE_CHECKING:
    from datasets import Dataset

# held-out prompts that are answered at the end: the mean reward of so many is known to a tenth of its spread
HELD_OUT = 128


@dataclasses.dataclass(frozen=True)
class Prompts:
    """Rows of `prompt`, a list of token ids."""

    train: Dataset
    test: Dataset
    too_long: int


def check_groups(global_batch: int, generations: int) -> None:
    if generations < 2:
        raise JobError(f"Cannot compare an answer with the others of {generations}, expected generations to be 2 or more")
    if global_batch % generations != 0:
        raise JobError(f"Cannot divide a global batch of {global_batch} answers into prompts with {generations} each, expected a multiple")


def read_prompts(job: Job, longest: int, at_once: int) -> Prompts:
    """
    Of the pairs in the input "data", in their order, which the seed has drawn. A prompt of more than `longest` tokens leaves no
    room for an answer and is left out. `at_once`: prompts of a step, of which there must be one step at least.
    """
    from datasets import Dataset

    distinct = {
        split: list(dict.fromkeys(tuple(ids) for ids in read_rows(job.input("data"), split)["prompt_ids"][:])) for split in ("train", "test")
    }
    fitting = {split: [list(ids) for ids in prompts if len(ids) <= longest] for split, prompts in distinct.items()}
    too_long = sum(map(len, distinct.values())) - sum(map(len, fitting.values()))
    if len(fitting["train"]) < at_once:
        raise JobError(
            f"Cannot fill a step of {at_once} prompts with the {len(fitting['train'])} that leave room for an answer ({too_long} are longer than "
            f"{longest} tokens), expected more prompts, shorter answers or a smaller global batch", BAD_DATA
        )  # fmt: skip
    test = fitting["test"][:HELD_OUT]
    return Prompts(Dataset.from_dict({"prompt": fitting["train"]}), Dataset.from_dict({"prompt": test}), too_long)


def device_of(job: Job) -> str:
    return "cpu" if job.hardware.device == "cpu" else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
