"""The shapes that dialogues come in, and the one that is trained on: which turns there may be, and in which order."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, str]

# names of ShareGPT and its likes
ROLES = {
    "system": "system", "user": "user", "human": "user", "prompter": "user", "assistant": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "model": "assistant",
}  # fmt: skip
PARTS = ("text", "input_text", "output_text", None)


class Unusable(Exception):
    """A row that cannot be trained on; its text is the reason by which it is counted."""


def dialogue(value: Any) -> list[Message]:
    """
    System turn if any, then user and assistant in turn, the assistant last. A system turn without text is as good as none.
    Throws `Unusable` for anything else.
    """
    cleaned = without_empty_system(turns_of(value))
    turns = cleaned[1:] if cleaned and cleaned[0]["role"] == "system" else cleaned
    if not turns:
        raise Unusable("no turns")
    for index, message in enumerate(turns):
        role = message["role"]
        if not message["content"].strip():
            raise Unusable("a turn without text")
        if role == "system":
            raise Unusable("a system turn that is not the first")
        if index > 0 and role == turns[index - 1]["role"]:
            raise Unusable(f"two {role} turns in a row")
    if turns[0]["role"] != "user":
        raise Unusable("begins with an assistant turn")
    if turns[-1]["role"] != "assistant":
        raise Unusable("ends with a user turn")
    return cleaned


def without_empty_system(turns: list[Message]) -> list[Message]:
    return turns[1:] if turns and turns[0]["role"] == "system" and not turns[0]["content"].strip() else turns


def turns_of(value: Any) -> list[Message]:
    """
    Turns in any order from a list of {role, content} or {from, value}, the same as a struct of lists, one such turn, or the
    JSON text of any of these. A text of null is "".
    """
    value = decoded(value)
    if isinstance(value, dict):
        value = unzipped(value)
    if not isinstance(value, list):
        raise Unusable("no list of messages")
    return [turn_of(decoded(message)) for message in value]


def decoded(value: Any) -> Any:
    """Turns that are written as JSON text as what they are; any other text, JSON or not, is left a text."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return value
    first = read[0] if isinstance(read, list) and read else read
    return read if isinstance(first, dict) and ("role" in first or "from" in first) else value


def unzipped(value: dict[str, Any]) -> list[Any]:
    """A struct of lists, which `datasets` made of lists of structs for long; or a single turn."""
    columns = {name: member for name, member in value.items() if isinstance(member, list)}
    if not any(name in columns for name in ("role", "from")):
        return [value]
    if len({len(member) for member in columns.values()}) != 1:
        raise Unusable("roles and texts of different numbers")
    return [dict(zip(columns, members, strict=True)) for members in zip(*columns.values(), strict=True)]


def turn_of(message: Any) -> Message:
    if not isinstance(message, dict):
        raise Unusable("no list of messages")
    named = next((message[name] for name in ("role", "from") if isinstance(message.get(name), str)), None)
    role = ROLES.get(named.lower()) if named is not None else None
    if role is None:
        raise Unusable("a turn without a role" if named is None else f'a turn of the role "{named[:40]}"')
    content = next((message[name] for name in ("content", "value") if message.get(name) is not None), None)
    return {"role": role, "content": text_of(content)}


def text_of(content: Any) -> str:
    """A text, or the texts of a list of parts one after the other."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Unusable("a turn whose content is no text")
    return "".join(text_of_part(part) for part in content)


def text_of_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) and part.get("type") in PARTS else None
    if isinstance(text, str):
        return text
    raise Unusable("a turn whose content is no text")


def with_system(messages: list[Message], system: str) -> list[Message]:
    """alignment-handbook v0.3 put an empty system turn before dialogues that had none."""
    if system == "none" or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": ""}, *messages]
