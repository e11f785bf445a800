"""Keeps listed texts, the prompts of a benchmark say, out of training."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from dataset_reader import load_files
from exits import BAD_DATA, JobError
from job import Job
from messages import Unusable
from row_shapes import as_turns


def normalised(text: str) -> str:
    """Lower case, words and numbers only, one space between, one at each end."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "


@dataclasses.dataclass(frozen=True)
class Listed:
    """Normalised texts to keep out of training; the longer ones also by their first five words."""

    texts: set[str]
    by_start: dict[tuple[str, ...], list[str]]


def listed_prompts(job: Job, scratch: Path) -> Listed:
    """From every file of the input `decontaminate`."""
    texts: set[str] = set()
    for rows in load_files(job.input("decontaminate"), "decontaminate", scratch):
        column = next((name for name in ("prompt", "question", "instruction", "text", "messages") if name in rows.column_names), None)
        if column is None:
            raise JobError(
                f'Cannot read prompts from the dataset "decontaminate": found the columns {", ".join(rows.column_names)}, '
                f"expected prompt, question, instruction, text or messages", BAD_DATA
            )  # fmt: skip
        for value in rows[column]:
            try:
                texts |= {normalised(turn["content"]) for turn in as_turns(value, "user")[:1]}
            except Unusable as reason:
                raise JobError(f'Cannot read prompts from the column "{column}" of the dataset "decontaminate": {reason}', BAD_DATA) from reason
    texts.discard("  ")
    by_start: dict[tuple[str, ...], list[str]] = {}
    for text in sorted(texts):
        words = text.split()
        if len(words) >= 5:
            by_start.setdefault(tuple(words[:5]), []).append(text)
    return Listed(texts, by_start)


def holds_listed(text: str, listed: Listed) -> bool:
    """Whether a message holds a listed text as a whole; one of fewer than five words only if the message is nothing else."""
    body = normalised(text)
    if body in listed.texts:
        return True
    words, position = body.split(), 0
    for index, word in enumerate(words):
        if any(body.startswith(wanted, position) for wanted in listed.by_start.get(tuple(words[index : index + 5]), ())):
            return True
        # `position` is that of the space before the word
        position += len(word) + 1
    return False
