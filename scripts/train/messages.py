"""The shape of a dialogue: which turns there may be, and in which order."""

from __future__ import annotations

from typing import Any

Message = dict[str, str]


def clean_messages(messages: Any) -> list[Message] | None:
    """System turn if any, then user and assistant in turn, the assistant last; None for anything else."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return None
    cleaned = [{"role": message.get("role"), "content": message.get("content")} for message in messages]
    if not all(isinstance(message["content"], str) for message in cleaned):
        return None
    turns = cleaned[1:] if cleaned and cleaned[0]["role"] == "system" else cleaned
    if not turns or len(turns) % 2 or any(message["role"] != ("user", "assistant")[index % 2] for index, message in enumerate(turns)):
        return None
    return cleaned if all(message["content"].strip() for message in turns) else None


def with_system(messages: list[Message], system: str) -> list[Message]:
    """alignment-handbook v0.3 put an empty system turn before dialogues that had none."""
    if system == "none" or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": ""}, *messages]
