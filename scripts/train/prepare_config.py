"""What prepare.py is told: where rows come from and what becomes of them."""

from __future__ import annotations

import dataclasses
from typing import Literal

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
class Config:
    kind: Literal["sft", "prefs"]
    template: str
    system: Literal["empty", "none"]
    max_length: int
    seed: int
    sources: list[Source]
    # share of the rows that may be left out because they cannot be used
    max_dropped: float = 0.05
    # sft
    packing: bool | None = None
    loss_tokens: Literal["all", "assistant"] | None = None
    filters: Filters | None = None
    test_rows: int | None = None
    # prefs
    max_prompt_length: int | None = None


def check(config: Config) -> None:
    """The two kinds share a config: each has fields of its own, none may be missing or in vain."""
    own = {"sft": ("packing", "loss_tokens", "filters"), "prefs": ("max_prompt_length",)}
    foreign = "prefs" if config.kind == "sft" else "sft"
    for name in own[config.kind]:
        if getattr(config, name) is None:
            raise JobError(f'Cannot read config, expected a key "{name}" with kind "{config.kind}"')
    for name in (*own[foreign], *(("test_rows",) if foreign == "sft" else ())):
        if getattr(config, name) is not None:
            raise JobError(f'Cannot use the key "{name}" in config with kind "{config.kind}"')
    if config.max_prompt_length is not None and config.max_prompt_length >= config.max_length:
        raise JobError(f"Cannot leave no room for an answer, expected max_prompt_length below {config.max_length}")
    if not config.sources:
        raise JobError("Cannot prepare nothing, expected at least one source")
