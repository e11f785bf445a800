"""What a row of a dataset holds, by the columns that it has: a dialogue, or a prompt with a better and a worse answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messages import Message, Unusable, decoded, dialogue, turns_of, without_empty_system

# the columns that are read, the first that is there; and what a message says of them
DIALOGUES = ("messages", "conversations", "conversation")
PROMPTS = ("prompt", "conversations", "question")
# beside a dialogue, its system prompt
SYSTEMS = ("system", "system_prompt")
WANTED = {
    "sft": "expected messages, conversations, or prompt and completion",
    "prefs": "expected chosen and rejected, as dialogues or as answers to prompt or question",
}


def columns_of(kind: str, names: Iterable[str]) -> list[str]:
    """Of the columns of a dataset those that are read; none where it is of another shape."""
    names = list(names)
    if kind == "sft":
        found = [name for name in DIALOGUES if name in names][:1]
        found = found or [name for name in ("prompt", "completion") if {"prompt", "completion"} <= set(names)]
    else:
        found = [*[name for name in PROMPTS if name in names][:1], "chosen", "rejected"] if {"chosen", "rejected"} <= set(names) else []
    return [*found, *[name for name in SYSTEMS if found and name in names][:1]]


def row_dialogue(row: dict[str, Any]) -> list[Message]:
    """Throws `Unusable`."""
    if "completion" in row:
        turns = [*as_turns(row["prompt"], "user"), *as_turns(row["completion"], "assistant")]
    else:
        turns = turns_of(next(row[name] for name in DIALOGUES if name in row))
    return dialogue(with_system_of(row, turns))


def with_system_of(row: dict[str, Any], turns: list[Message]) -> list[Message]:
    """A system prompt in a column of its own begins a dialogue that has none. Throws `Unusable`."""
    text = next((row[name] for name in SYSTEMS if row.get(name) is not None), "")
    if not isinstance(text, str):
        raise Unusable("a system prompt that is no text")
    turns = without_empty_system(turns)
    if not text.strip() or not turns or turns[0]["role"] == "system":
        return turns
    return [{"role": "system", "content": text}, *turns]


def row_pair(row: dict[str, Any]) -> tuple[list[Message], list[Message]]:
    """
    Two dialogues that differ in their last message alone. As TRL has them (its page on dataset formats): the answers beside
    an explicit prompt, or both as whole dialogues; then a `prompt` beside them repeats their opening and is left out. A
    difference before the last message would have what the user said scored as a part of the answer. Throws `Unusable`.
    """
    asked = next((row[name] for name in PROMPTS if row.get(name) is not None), None)
    prompt = None if asked is None else without_empty_system(as_turns(asked, "user"))
    chosen, rejected = (dialogue(with_system_of(row, whole(row[name], prompt, isinstance(asked, str)))) for name in ("chosen", "rejected"))
    if chosen == rejected:
        raise Unusable("equal answers")
    common = 0
    while common < min(len(chosen), len(rejected)) and chosen[common] == rejected[common]:
        common += 1
    if not any(message["role"] == "user" for message in chosen[:common]):
        raise Unusable("different prompts")
    if len(chosen) - common != 1 or len(rejected) - common != 1:
        raise Unusable("answers of more than one message")
    return chosen, rejected


def whole(value: Any, prompt: list[Message] | None, prompt_is_text: bool) -> list[Message]:
    """Prompt and answer as one dialogue."""
    if prompt is None and isinstance(decoded(value), str):
        raise Unusable("answers of text without a prompt")
    turns = without_empty_system(as_turns(value, "assistant"))
    first = next((message["role"] for message in turns if message["role"] != "system"), None)
    if prompt is None or not turns:
        return turns
    if first != "user":
        return [*prompt, *turns]
    # a text may be the opening in other words: one with its markers, or the last question alone
    opening, said = ([message for message in part if message["role"] != "system"] for part in (prompt, turns))
    if not prompt_is_text and said[: len(opening)] != opening:
        raise Unusable("a prompt that does not begin the answers")
    return turns


def as_turns(value: Any, role: str) -> list[Message]:
    """Plain text is one turn of the role."""
    value = decoded(value)
    return [{"role": role, "content": value}] if isinstance(value, str) else turns_of(value)
