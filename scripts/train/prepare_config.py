"""What prepare.py is told: where rows come from and what becomes of them."""

from __future__ import annotations

import dataclasses
from typing import Literal

from chat_tokenizer import Bos
from exits import JobError


@dataclasses.dataclass(frozen=True)
class Filters:
    truecase: bool
    drop_refusals: bool


@dataclasses.dataclass(frozen=True)
class Source:
    input: str
    train: str
    test: str | None
    # of the training split
    fraction: float
    # split -> rows it must have: published sets were rewritten in place
    rows: dict[str, int] | None
    # of the dataset, as its card names them; None: the default one
    config: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """What dialogues and pairs have in common."""

    template: str
    system: Literal["empty", "none"]
    max_length: int
    seed: int
    sources: list[Source]
    # keep: what the tokenizer itself puts before a text begins each dialogue and each prompt
    bos: Bos = "keep"
    # share of the rows that may be left out because they cannot be used
    max_dropped: float = 0.05
    # held-out rows at most; without a test split they are cut from the training rows
    test_rows: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DialogueConfig(PrepareConfig):
    """For dsft.py."""

    kind: Literal["sft"]
    packing: bool
    loss_tokens: Literal["all", "assistant"]
    filters: Filters


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairConfig(PrepareConfig):
    """For ddpo.py."""

    kind: Literal["prefs"]
    max_prompt_length: int


Config = DialogueConfig | PairConfig


def check(config: Config) -> None:
    """What the types of the fields cannot say."""
    if isinstance(config, PairConfig) and config.max_prompt_length >= config.max_length:
        raise JobError(f"Cannot leave no room for an answer, expected max_prompt_length below {config.max_length}")
    if not config.sources:
        raise JobError("Cannot prepare nothing, expected at least one source")
