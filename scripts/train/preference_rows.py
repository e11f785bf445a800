"""Pairs of answers to rows of tokens: prompt, chosen and rejected, cut to length."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy

from decontaminate import Listed, holds_listed
from job import Job
from messages import Message, clean_messages, with_system
from prepare_config import Config
from source_rows import Row
from training_rows import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Counter = collections.Counter[str]
# rows between two signs of life
CHUNK = 1000


def preference_rows(
    job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, rows: list[Row], counter: Counter, listed: Listed | None
) -> Iterator[Tokens]:
    for index, row in enumerate(rows):
        if index % CHUNK == 0:
            job.emit("progress", step=0, max_steps=1, metrics={"rows": index, "of": len(rows)})
        chosen, rejected = clean_messages(row["chosen"]), clean_messages(row["rejected"])
        if chosen is None or rejected is None:
            counter["drop malformed"] += 1
            continue
        if chosen[:-1] != rejected[:-1]:
            counter["drop different prompts"] += 1
            continue
        if listed is not None and any(holds_listed(message["content"], listed) for message in chosen):
            counter["drop contaminated"] += 1
            continue
        prompt_ids, chosen_ids = prompt_and_answer(tokenizer, with_system(chosen, config.system))
        other_ids, rejected_ids = prompt_and_answer(tokenizer, with_system(rejected, config.system))
        if prompt_ids != other_ids:
            # the tokenizer merged the last token of the prompt with the first of an answer
            counter["drop ambiguous boundary"] += 1
            continue
        if chosen_ids == rejected_ids:
            counter["drop equal answers"] += 1
            continue
        made = truncate(prompt_ids, chosen_ids, rejected_ids, config, counter)
        if numpy.array_equal(made["chosen_ids"], made["rejected_ids"]):
            # the two differ only in what was cut away: no gradient would come of them
            counter["drop equal when cut"] += 1
            continue
        yield made


def prompt_and_answer(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> tuple[list[int], list[int]]:
    """
    Tokens up to and with the last assistant marker, and of the answer with its end token. Tokenised as one text: a
    tokenizer may put a space before whatever it takes for the beginning of a text.
    """
    prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    text = prompt + messages[-1]["content"] + tokenizer.eos_token
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(encoded["input_ids"])
    cut = next((index for index, (_, end) in enumerate(encoded["offset_mapping"]) if end > len(prompt)), len(ids))
    return ids[:cut], ids[cut:]


def truncate(prompt: list[int], chosen: list[int], rejected: list[int], config: Config, counter: Counter) -> Tokens:
    """
    As DPOTrainer of TRL 0.7 to 0.12 did under alignment-handbook v0.3 (truncation_mode keep_end): only if the prompt and
    the longer answer exceed `max_length` does the prompt lose its beginning, down to `max_prompt_length`; if that is not
    enough, the answers lose their end.
    """
    assert config.max_prompt_length is not None
    longer = max(len(chosen), len(rejected))
    if len(prompt) + longer > config.max_length:
        if len(prompt) > config.max_prompt_length:
            counter["prompt cut"] += 1
            prompt = prompt[-config.max_prompt_length :]
        if len(prompt) + longer > config.max_length:
            counter["answer cut"] += 1
            room = config.max_length - config.max_prompt_length
            chosen, rejected = chosen[:room], rejected[:room]
    made = {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
    return {name: numpy.asarray(ids, dtype=numpy.int32) for name, ids in made.items()}
