"""Dialogues to rows of tokens: filtered, repaired, rendered with the chat template, tokenised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy
from decontaminate import Listed, holds_listed
from disclaimer import is_disclaimer
from job import Job
from left_out import LeftOut
from messages import Message, Unusable, with_system
from prepare_config import Config
from row_shapes import row_dialogue
from source_rows import Row, in_batches
from training_rows import Tokens
from truecase import truecase

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def sft_rows(
    job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, rows: list[Row], left_out: LeftOut, listed: Listed | None
) -> Iterator[Tokens]:
    seen = 0
    for batch in in_batches(rows):
        job.emit("progress", step=0, max_steps=1, metrics={"rows": seen, "of": len(rows)})
        seen += len(batch)
        kept: list[Row] = []
        dialogues: list[list[Message]] = []
        for row, content in batch:
            try:
                dialogues.append(kept_dialogue(content, config, left_out, listed))
                kept.append(row)
            except Unusable as reason:
                left_out.drop(row, str(reason))
        if not dialogues:
            continue
        # a batch at once, so that the tokenizer can use its threads
        encoded = tokenizer.apply_chat_template(
            dialogues, return_dict=True, return_assistant_tokens_mask=config.loss_tokens == "assistant"
        )
        for index, ids in enumerate(encoded["input_ids"]):
            made = {"input_ids": numpy.asarray(ids, dtype=numpy.int32)}
            if config.loss_tokens == "assistant":
                counts = numpy.asarray(encoded["assistant_masks"][index], dtype=bool)
                made["labels"] = numpy.where(counts, made["input_ids"], numpy.int32(-100))
            if len(ids) > config.max_length:
                left_out.notice("longer than a row")
                if not config.packing:
                    made = {name: values[: config.max_length] for name, values in made.items()}
            if "labels" in made and (made["labels"] == -100).all():
                left_out.drop(kept[index], "no answer within the row")
                continue
            yield made


def kept_dialogue(content: dict[str, Any], config: Config, left_out: LeftOut, listed: Listed | None) -> list[Message]:
    """The messages to render; throws `Unusable` with the reason for a row to leave out."""
    assert config.filters is not None
    messages = row_dialogue(content)
    if config.filters.drop_refusals and any(is_disclaimer(message["content"]) for message in messages if message["role"] == "assistant"):
        raise Unusable("disclaimer")
    if listed is not None and any(holds_listed(message["content"], listed) for message in messages):
        raise Unusable("contaminated")
    if config.filters.truecase:
        cased = [{**message, "content": truecase(message["content"])} for message in messages]
        left_out.notice("truecased", cased != messages)
        messages = cased
    return with_system(messages, config.system)
