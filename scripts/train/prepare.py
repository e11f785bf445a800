"""Makes the rows that dsft.py and ddpo.py train on: filter, render, tokenise, pack. No GPU is held meanwhile.

Which rows are taken, and in which order, depends on the seed and each row's id alone (HMAC-SHA256), so that a row more
or less in a source moves no other row.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat_tokenizer import load_tokenizer, tell_replaced_template, use_template
from dialogue_rows import pack, sft_rows
from durable_files import write_json
from exits import BAD_DATA, JobError
from filters import Listed, read_listed
from job import Job
from left_out import LeftOut
from preference_rows import preference_rows
from prepare_config import Config, DialogueConfig, PairConfig, check
from run_job import run
from source_rows import Row, cut_test_rows, in_order, read_split, select
from training_rows import PAIR_COLUMNS, Tokens, write_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def main(job: Job, config: Config) -> None:
    check(config)
    tokenizer = load_tokenizer(job, "tokenizer")
    tell_replaced_template(job, "tokenizer", tokenizer, config.template, config.bos)
    use_template(tokenizer, config.template, config.bos)
    # only the length of the rows counts here, not what the tokenizer's own config thinks of it
    tokenizer.model_max_length = 10**9
    report: dict[str, Any] = {"sources": [], "splits": {}}
    # the rows lie in files that are mapped into memory, beside the job's other files and gone with them
    with tempfile.TemporaryDirectory(prefix="rows-", dir=job.folder, ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        listed = read_listed(job, scratch) if "decontaminate" in job.file.inputs else None
        chosen = chosen_rows(job, config, report, scratch)
        for role, rows in chosen.items():
            made = made_rows(job, config, tokenizer, role, rows, listed, report)
            write_rows(job.out / f"{role}.parquet", made, row_columns(config))
            tokens = report["splits"][role]["tokens"]
            job.emit("data", rows=len(made), split=role, read=len(rows), tokens=tokens)
    write_json(job.out / "report.json", report)
    train = report["splits"]["train"]
    metrics = {"rows": train["rows"], "test_rows": report["splits"]["test"]["rows"], "tokens": train["tokens"], "dropped": train["dropped"]}
    job.finish(1, 1, metrics)


def chosen_rows(job: Job, config: Config, report: dict[str, Any], scratch: Path) -> dict[str, list[Row]]:
    """Rows for training and for the test, each in the order of their draws."""
    chosen: dict[str, list[Row]] = {"train": [], "test": []}
    for source in config.sources:
        counts: dict[str, int] = {}
        for role, split in (("train", source.train), ("test", source.test)):
            if split is not None:
                rows = read_split(job.input(source.input), source, split, config.kind, scratch)
                counts[split] = len(rows)
                chosen[role] += rows if role == "test" else select(rows, config.seed, source.fraction)
        report["sources"].append({"input": source.input, "rows": counts})
    cut_test_rows(config, chosen)
    return {role: in_order(rows, config.seed) for role, rows in chosen.items()}


def made_rows(
    job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, role: str, rows: list[Row], listed: Listed | None, report: dict[str, Any]
) -> list[Tokens]:
    left_out = LeftOut(rows)
    if isinstance(config, PairConfig):
        made = list(preference_rows(job, config, tokenizer, rows, left_out, listed))
    else:
        made = list(sft_rows(job, config, tokenizer, rows, left_out, listed))
    left_out.tell(job, config)
    documents, dropped = len(made), left_out.counts()
    if role == "train" and not made:
        raise JobError(f"Cannot train on nothing: of {len(rows)} rows, {dropped or 'none'} were dropped", BAD_DATA)
    if isinstance(config, DialogueConfig) and config.packing:
        made = pack(made, config.max_length)
    tokens = sum(len(ids) for row in made for name, ids in row.items() if name.endswith("_ids"))
    report["splits"][role] = {
        "read": len(rows), "kept": documents, "dropped": dropped, "noticed": dict(sorted(left_out.noticed.items())),
        "rows": len(made), "tokens": tokens,
    }  # fmt: skip
    return made


def row_columns(config: Config) -> list[str]:
    if isinstance(config, PairConfig):
        return PAIR_COLUMNS
    return ["input_ids", *(["labels"] if config.loss_tokens == "assistant" else []), *(["seq_lengths"] if config.packing else [])]


if __name__ == "__main__":
    run("prepare", Config, main)
