"""Keeps listed texts, the prompts of a benchmark say, out of training."""

from __future__ import annotations

import dataclasses
import re

from exits import BAD_DATA, JobError
from job import Job
from source_rows import read_file


def normalised(text: str) -> str:
    """Lower case, words and numbers only, one space between, one at each end."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "


@dataclasses.dataclass(frozen=True)
class Listed:
    """Normalised texts to keep out of training; the longer ones also by their first five words."""

    texts: set[str]
    by_start: dict[tuple[str, ...], list[str]]


def listed_prompts(job: Job) -> Listed:
    """From every file of the input `decontaminate`."""
    texts: set[str] = set()
    for path in sorted(job.input("decontaminate").rglob("*")):
        if path.suffix in (".parquet", ".jsonl"):
            columns, rows = read_file(path)
            column = next((name for name in ("prompt", "question", "instruction", "text", "messages") if name in columns), None)
            if column is None:
                raise JobError(
                    f'Cannot read prompts from the dataset "decontaminate": found the columns {", ".join(columns)}, '
                    f"expected prompt, question, instruction, text or messages", BAD_DATA
                )  # fmt: skip
            texts |= {normalised(row[column][0]["content"] if column == "messages" else row[column]) for row in rows}
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
