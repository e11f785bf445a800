"""Dialogues to rows of tokens: filtered, repaired, rendered with the chat template, tokenised, packed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy
from chat_tokenizer import template_with_answer_tags
from filters import Listed, holds_code, holds_listed, is_disclaimer, truecase
from job import Job
from left_out import LeftOut
from messages import Message, Unusable, with_system
from prepare_config import DialogueConfig
from row_shapes import row_dialogue
from source_rows import Row, in_batches
from training_rows import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def sft_rows(
    job: Job, config: DialogueConfig, tokenizer: PreTrainedTokenizerBase, rows: list[Row], left_out: LeftOut, listed: Listed | None
) -> Iterator[Tokens]:
    seen, masked = 0, config.loss_tokens == "assistant"
    template = template_with_answer_tags(config.template, tokenizer, config.bos) if masked else None
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
        encoded: Any = tokenizer.apply_chat_template(
            dialogues, chat_template=template, return_dict=True, return_assistant_tokens_mask=masked
        )
        for index, ids in enumerate(encoded["input_ids"]):
            made = {"input_ids": numpy.asarray(ids, dtype=numpy.int32)}
            if masked:
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


def kept_dialogue(content: dict[str, Any], config: DialogueConfig, left_out: LeftOut, listed: Listed | None) -> list[Message]:
    """The messages to render; throws `Unusable` with the reason for a row to leave out."""
    messages = row_dialogue(content)
    if config.filters.drop_refusals and any(is_disclaimer(message["content"]) for message in messages if message["role"] == "assistant"):
        raise Unusable("disclaimer")
    if listed is not None and any(holds_listed(message["content"], listed) or holds_code(message["content"], listed) for message in messages):
        raise Unusable("contaminated")
    if config.filters.truecase:
        cased = [{**message, "content": truecase(message["content"])} for message in messages]
        left_out.notice("truecased", cased != messages)
        messages = cased
    return with_system(messages, config.system)


def pack(documents: Iterable[Tokens], max_length: int) -> list[Tokens]:
    """
    Rows of whole documents with their lengths (`seq_lengths`), by best fit decreasing. A document longer than a row is
    cut into pieces that count as documents: no token is lost, as with the packing of v0.3, but none sees another document.
    """
    pieces = [
        {name: values[start : start + max_length] for name, values in document.items()}
        for document in documents
        for start in range(0, len(document["input_ids"]), max_length)
    ]
    # a piece in which no token counts teaches nothing
    pieces = [piece for piece in pieces if "labels" not in piece or (piece["labels"] != -100).any()]
    order = sorted(range(len(pieces)), key=lambda index: -len(pieces[index]["input_ids"]))
    bins: list[list[int]] = []
    # bins by free room, and the rooms of which there is a bin as bits of one number: the best fit is the lowest bit from there
    by_room: list[list[int]] = [[] for _ in range(max_length + 1)]
    rooms = 0
    for index in order:
        length = len(pieces[index]["input_ids"])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            target = by_room[room].pop()
            if not by_room[room]:
                rooms &= ~(1 << room)
        else:
            room, target = max_length, len(bins)
            bins.append([])
        bins[target].append(index)
        if room > length:
            by_room[room - length].append(target)
            rooms |= 1 << (room - length)
    return [
        {
            **{name: numpy.concatenate([pieces[index][name] for index in members]) for name in pieces[members[0]]},
            "seq_lengths": numpy.asarray([len(pieces[index]["input_ids"]) for index in members], dtype=numpy.int32),
        }
        for members in bins
    ]
