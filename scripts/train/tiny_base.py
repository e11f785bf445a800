"""A base model for rehearsals: random Mistral weights and a byte-level BPE tokenizer trained on the corpus, which puts `<s>` first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from chat_tokenizer import save_tokenizer, use_template
from exits import BAD_DATA, JobError
from job import Job
from json_lines import read_json_lines
from messages import Unusable
from row_shapes import as_turns
from run_job import run

SPECIAL_TOKENS = ["<unk>", "<s>", "</s>"]


@dataclasses.dataclass(frozen=True)
class Architecture:
    model_type: Literal["mistral"]
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    max_position_embeddings: int


@dataclasses.dataclass(frozen=True)
class Config:
    architecture: Architecture
    vocab_size: int
    template: str
    seed: int


def main(job: Job, config: Config) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    texts = list(corpus_texts(job.input("corpus")))
    if not texts:
        raise JobError('Cannot train a tokenizer on the input "corpus", expected rows with messages, prompt or text', BAD_DATA)
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    smallest = len(SPECIAL_TOKENS) + len(alphabet)
    if config.vocab_size < smallest:
        raise JobError(f"Cannot make a byte-level vocabulary of {config.vocab_size}, expected at least {smallest}")
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    # the markers of the chat template are plain text: they are to be in the vocabulary, so they must be in the corpus
    markers = [f"<|{role}|>\n" for role in ("system", "user", "assistant")] * max(1, len(texts) // 4)
    tokenizer.train_from_iterator([*texts, *markers], trainer)
    # as Mistral's tokenizer does
    begin = ("<s>", SPECIAL_TOKENS.index("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[begin])
    job.emit("data", rows=len(texts), vocab=tokenizer.get_vocab_size())

    import torch
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=config.architecture.max_position_embeddings,
        clean_up_tokenization_spaces=False,
    )
    use_template(wrapped, config.template, "keep")
    shape: dict[str, Any] = {name: value for name, value in dataclasses.asdict(config.architecture).items() if name != "model_type"}
    torch.set_num_threads(job.hardware.threads)
    torch.manual_seed(config.seed)
    # rows of the embedding without a token do no harm; a multiple of 8 is what real models have
    vocabulary = -(-tokenizer.get_vocab_size() // 8) * 8
    shape |= {f"{name}_token_id": SPECIAL_TOKENS.index(token) for name, token in (("bos", "<s>"), ("eos", "</s>"))}
    # 0.02, the usual spread of first weights, fits wide layers: one of 128 learns to look names up far later with it
    model = MistralForCausalLM(
        MistralConfig(vocab_size=vocabulary, sliding_window=None, tie_word_embeddings=False, dtype="float32", initializer_range=0.08, **shape)
    )
    model.save_pretrained(job.out)
    save_tokenizer(job, wrapped)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    job.finish(1, 1, {"parameters": parameters, "vocab": tokenizer.get_vocab_size(), "texts": len(texts)})


def corpus_texts(folder: Path) -> Iterator[str]:
    """All text of a data set, in the order of file names and rows."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".parquet", ".jsonl")):
        for row in read_rows(path):
            yield from row_texts(row, path)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".jsonl":
        yield from (row for _, row in read_json_lines(path))
        return
    import pyarrow.parquet as parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=1000):
            yield from batch.to_pylist()
    except (ValueError, OSError) as error:
        raise JobError(f'Cannot read "{path.name}", expected Parquet: {error}', BAD_DATA) from error


def row_texts(row: dict[str, Any], path: Path) -> Iterator[str]:
    try:
        for name in ("messages", "chosen", "rejected"):
            if row.get(name) is not None:
                yield from (turn["content"] for turn in as_turns(row[name], "assistant"))
    except Unusable as reason:
        raise JobError(f'Cannot read dialogues from "{path.name}": {reason}', BAD_DATA) from reason
    for name in ("prompt", "text"):
        if isinstance(row.get(name), str) and not row.get("messages"):
            yield row[name]


if __name__ == "__main__":
    run("tiny_base", Config, main)
