"""Dialogues to rows of tokens: filtered, repaired, rendered with the chat template, tokenised."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy

from decontaminate import Listed, holds_listed
from disclaimer import is_disclaimer
from job import Job
from messages import Message, clean_messages, with_system
from prepare_config import Config
from source_rows import Row
from training_rows import Tokens
from truecase import truecase

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Counter = collections.Counter[str]
# rows rendered and tokenised at once
CHUNK = 1000


def sft_rows(
    job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, rows: list[Row], counter: Counter, listed: Listed | None
) -> Iterator[Tokens]:
    for start in range(0, len(rows), CHUNK):
        job.emit("progress", step=0, max_steps=1, metrics={"rows": start, "of": len(rows)})
        dialogues = [messages for row in rows[start : start + CHUNK] if (messages := kept_dialogue(row, config, counter, listed)) is not None]
        if not dialogues:
            continue
        # a chunk at once, so that the tokenizer can use its threads
        encoded = tokenizer.apply_chat_template(
            dialogues, return_dict=True, return_assistant_tokens_mask=config.loss_tokens == "assistant"
        )
        for index, ids in enumerate(encoded["input_ids"]):
            made = {"input_ids": numpy.asarray(ids, dtype=numpy.int32)}
            if config.loss_tokens == "assistant":
                counts = numpy.asarray(encoded["assistant_masks"][index], dtype=bool)
                made["labels"] = numpy.where(counts, made["input_ids"], numpy.int32(-100))
            if len(ids) > config.max_length:
                counter["longer than a row"] += 1
                if not config.packing:
                    made = {name: values[: config.max_length] for name, values in made.items()}
            if "labels" in made and (made["labels"] == -100).all():
                counter["drop no answer within the row"] += 1
                continue
            yield made


def kept_dialogue(row: Row, config: Config, counter: Counter, listed: Listed | None) -> list[Message] | None:
    """The messages to render; None, and a count of the reason, for a row to drop."""
    assert config.filters is not None
    messages = clean_messages(row["messages"])
    if messages is None:
        counter["drop malformed"] += 1
        return None
    if config.filters.drop_refusals and any(is_disclaimer(message["content"]) for message in messages if message["role"] == "assistant"):
        counter["drop disclaimer"] += 1
        return None
    if listed is not None and any(holds_listed(message["content"], listed) for message in messages):
        counter["drop contaminated"] += 1
        return None
    if config.filters.truecase:
        cased = [{**message, "content": truecase(message["content"])} for message in messages]
        counter["truecased"] += cased != messages
        messages = cased
    return with_system(messages, config.system)
