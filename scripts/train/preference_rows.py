"""Pairs of answers to rows of tokens: prompt, chosen and rejected, cut to length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy
from chat_tokenizer import begin_ids
from filters import Listed, holds_code, holds_listed
from job import Job
from left_out import LeftOut
from messages import Message, Unusable, with_system
from prepare_config import PairConfig
from row_shapes import row_pair
from source_rows import Row, in_batches
from training_rows import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def preference_rows(
    job: Job, config: PairConfig, tokenizer: PreTrainedTokenizerBase, rows: list[Row], left_out: LeftOut, listed: Listed | None
) -> Iterator[Tokens]:
    seen, begin = 0, len(begin_ids(tokenizer)) if config.bos == "keep" else 0
    for batch in in_batches(rows):
        job.emit("progress", step=0, max_steps=1, metrics={"rows": seen, "of": len(rows)})
        seen += len(batch)
        for row, content in batch:
            try:
                yield kept_pair(tokenizer, content, config, left_out, listed, begin)
            except Unusable as reason:
                left_out.drop(row, str(reason))


def kept_pair(
    tokenizer: PreTrainedTokenizerBase, content: dict[str, Any], config: PairConfig, left_out: LeftOut, listed: Listed | None, begin: int
) -> Tokens:
    """`begin`: tokens that begin every prompt. Throws `Unusable` with the reason for a row to leave out."""
    chosen, rejected = row_pair(content)
    if listed is not None and is_contaminated(chosen, rejected, listed):
        raise Unusable("contaminated")
    prompt_ids, chosen_ids = prompt_and_answer(tokenizer, with_system(chosen, config.system))
    other_ids, rejected_ids = prompt_and_answer(tokenizer, with_system(rejected, config.system))
    if prompt_ids != other_ids:
        # the tokenizer merged the last token of the prompt with the first of an answer
        raise Unusable("ambiguous boundary")
    if chosen_ids == rejected_ids:
        raise Unusable("equal answers")
    made = truncate(prompt_ids, chosen_ids, rejected_ids, config, left_out, begin)
    if numpy.array_equal(made["chosen_ids"], made["rejected_ids"]):
        # the two differ only in what was cut away: no gradient would come of them
        raise Unusable("equal when cut")
    return made


def is_contaminated(chosen: list[Message], rejected: list[Message], listed: Listed) -> bool:
    """Prompts are looked for in all that is said, code problems in the better answer alone, as v0.3 does (its run_dpo.py)."""
    return holds_code(chosen[-1]["content"], listed) or any(holds_listed(message["content"], listed) for message in [*chosen, rejected[-1]])


def prompt_and_answer(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> tuple[list[int], list[int]]:
    """
    Tokens up to and with the last assistant marker, and of the answer with its end token. Tokenised as one text: a
    tokenizer may put a space before whatever it takes for the beginning of a text.
    """
    prompt = cast(str, tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True))
    text = prompt + messages[-1]["content"] + tokenizer.eos_token
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(encoded["input_ids"])
    cut = next((index for index, (_, end) in enumerate(encoded["offset_mapping"]) if end > len(prompt)), len(ids))
    return ids[:cut], ids[cut:]


def truncate(
    prompt: list[int], chosen: list[int], rejected: list[int], config: PairConfig, left_out: LeftOut, begin: int = 0
) -> Tokens:
    """
    As DPOTrainer of TRL 0.7 to 0.12 did under alignment-handbook v0.3 (truncation_mode keep_end): only if the prompt and
    the longer answer exceed `max_length` does the prompt lose its beginning, down to `max_prompt_length`; if that is not
    enough, the answers lose their end. Other than there, a prompt that is cut keeps its `begin` first tokens, the begin token
    of the base: a prompt without one is met nowhere else, neither in dSFT nor when the model is asked.
    """
    longer = max(len(chosen), len(rejected))
    if len(prompt) + longer > config.max_length:
        if len(prompt) > config.max_prompt_length:
            left_out.notice("prompt cut")
            prompt = prompt[:begin] + prompt[len(prompt) - config.max_prompt_length + begin :]
        if len(prompt) + longer > config.max_length:
            left_out.notice("answer cut")
            room = config.max_length - config.max_prompt_length
            chosen, rejected = chosen[:room], rejected[:room]
    made = {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
    return {name: numpy.asarray(ids, dtype=numpy.int32) for name, ids in made.items()}
