"""The tokenizer of a model in an input, read and written with zephyr's chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from durable_files import write_json
from exits import BAD_DATA, JobError
from job import Job

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(job: Job, name: str, template: str | None) -> PreTrainedTokenizerBase:
    """
    Of the model in an input, with the chat template put in. Read by the generic class from tokenizer.json, which needs
    no torch and renders the same whatever class the model's author had in mind.
    """
    from transformers import PreTrainedTokenizerFast

    folder = job.input(name)
    if not (folder / "tokenizer.json").is_file():
        raise JobError(f'Cannot read the tokenizer of the input "{name}", expected a "tokenizer.json" in it', BAD_DATA)
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(folder)
    if tokenizer.eos_token is None:
        raise JobError(f'Cannot end a turn, expected an end-of-sequence token in the tokenizer of the input "{name}"', BAD_DATA)
    if template is not None:
        tokenizer.chat_template = chat_template(template)
    return tokenizer


def chat_template(name: str) -> str:
    path = Path(__file__).parent / "templates" / f"{name}.jinja"
    if not path.is_file():
        raise JobError(f'Cannot find the chat template "{name}", expected a file "templates/{name}.jinja" beside the program')
    return path.read_text(encoding="utf-8")


def save_tokenizer(job: Job, tokenizer: PreTrainedTokenizerBase) -> None:
    """Into the artifact, under the class name that transformers 4, vLLM and the like know as well."""
    tokenizer.save_pretrained(job.out)
    path = job.out / "tokenizer_config.json"
    members = json.loads(path.read_text(encoding="utf-8"))
    for left_by_loading in ("is_local", "local_files_only"):
        members.pop(left_by_loading, None)
    write_json(path, {**members, "tokenizer_class": "PreTrainedTokenizerFast"})
