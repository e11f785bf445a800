"""The tokenizer of a model in an input, read and written with zephyr's chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from durable_files import write_json
from exits import BAD_DATA, JobError
from job import Job

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Bos = Literal["keep", "none"]
# what a template of ours has around an answer: transformers makes the mask of the answers by it, other engines refuse it
ANSWER_TAGS = ("{%- generation -%}\n", "{%- endgeneration -%}\n")


def load_tokenizer(job: Job, name: str) -> PreTrainedTokenizerBase:
    """
    Of the model in an input. Read by the generic class from tokenizer.json, which needs no torch and renders the same
    whatever class the model's author had in mind.
    """
    from transformers import PreTrainedTokenizerFast

    folder = job.input(name)
    if not (folder / "tokenizer.json").is_file():
        raise JobError(f'Cannot read the tokenizer of the input "{name}", expected a "tokenizer.json" in it', BAD_DATA)
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(folder)
    if tokenizer.eos_token is None:
        raise JobError(f'Cannot end a turn, expected an end-of-sequence token in the tokenizer of the input "{name}"', BAD_DATA)
    return tokenizer


def use_template(tokenizer: PreTrainedTokenizerBase, name: str, bos: Bos) -> None:
    """Puts the chat template of that name in, as it is published with a model."""
    tokenizer.chat_template = chat_template(name, tokenizer, bos)


def tell_replaced_template(job: Job, input: str, tokenizer: PreTrainedTokenizerBase, name: str, bos: Bos) -> None:
    """A note where the model of the input brings a chat template that renders a dialogue otherwise than the recipe's."""
    dialogue = [{"role": role, "content": role} for role in ("system", "user", "assistant")]

    def rendered(template: str | None) -> str | None:
        try:
            return cast(str, tokenizer.apply_chat_template(dialogue, chat_template=template, tokenize=False))
        except Exception:
            # somebody else's template may throw anything: that, too, is to render otherwise
            return None

    theirs, ours = rendered(None), rendered(chat_template(name, tokenizer, bos))
    if tokenizer.chat_template is None or theirs == ours:
        return
    begin = begin_of_text(tokenizer)
    where = f'the chat template of the input "{input}"'
    if ours == f"{begin}{theirs}":
        job.emit("note", message=f"{where} begins no dialogue with {json.dumps(begin)}, with the recipe's bos {json.dumps(bos)} each of them does")
    else:
        job.emit("note", message=f"{where} renders dialogues otherwise than the recipe's {json.dumps(name)}, which is used in its place")


def chat_template(name: str, tokenizer: PreTrainedTokenizerBase, bos: Bos) -> str:
    """The template as plain Jinja, without the tags around answers that few engines know."""
    text = template_with_answer_tags(name, tokenizer, bos)
    for tag in ANSWER_TAGS:
        text = text.replace(tag, "")
    return text


def template_with_answer_tags(name: str, tokenizer: PreTrainedTokenizerBase, bos: Bos) -> str:
    """
    The template for masks of the answers. With `keep` it begins with what the tokenizer itself puts before a text: whoever
    renders a prompt with the template tokenises it without special tokens, as transformers and vLLM do.
    """
    path = Path(__file__).parent / "templates" / f"{name}.jinja"
    if not path.is_file():
        raise JobError(f'Cannot find the chat template "{name}", expected a file "templates/{name}.jinja" beside the program')
    text = path.read_text(encoding="utf-8")
    begin = begin_of_text(tokenizer) if bos == "keep" else ""
    if begin == "":
        return text
    return f"{{{{- {'bos_token' if begin == tokenizer.bos_token else json.dumps(begin)} -}}}}\n{text}"


def begin_of_text(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the post-processor of a tokenizer puts before a text: `<s>` for Mistral's, nothing for SmolLM2's."""
    ids = begin_ids(tokenizer)
    text = "".join(cast(list[str], tokenizer.convert_ids_to_tokens(ids)))
    if tokenizer(text, add_special_tokens=False)["input_ids"] != ids:
        raise JobError(
            f'Cannot begin a dialogue with {json.dumps(text)} as the tokenizer begins a text: written out it is read as other tokens; '
            f'expected the recipe to say "bos: none" for this base', BAD_DATA
        )  # fmt: skip
    return text


def begin_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    bare, whole = (cast(list[int], tokenizer("a", add_special_tokens=special)["input_ids"]) for special in (False, True))
    starts = range(len(whole) - len(bare) + 1)
    return whole[: next((start for start in starts if whole[start : start + len(bare)] == bare), 0)]


def save_tokenizer(job: Job, tokenizer: PreTrainedTokenizerBase) -> None:
    """Into the artifact, under the class name that transformers 4, vLLM and the like know as well."""
    tokenizer.save_pretrained(job.out)
    path = job.out / "tokenizer_config.json"
    members = json.loads(path.read_text(encoding="utf-8"))
    for left_by_loading in ("is_local", "local_files_only"):
        members.pop(left_by_loading, None)
    write_json(path, {**members, "tokenizer_class": "PreTrainedTokenizerFast"})
