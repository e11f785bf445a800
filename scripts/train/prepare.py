"""Makes the rows that dsft.py and ddpo.py train on: filter, render, tokenise, pack. No GPU is held meanwhile.

Which rows are taken, and in which order, depends on the seed and each row's id alone (HMAC-SHA256), so that a row more
or less in a source moves no other row.
"""

from __future__ import annotations

import collections
from typing import Any

from chat_tokenizer import load_tokenizer
from decontaminate import listed_prompts
from dialogue_rows import sft_rows
from draws import hmac_uniform
from durable_files import write_json
from exits import BAD_DATA, JobError
from job import Job
from packing import pack
from preference_rows import preference_rows
from prepare_config import Config, check
from run_job import run
from source_rows import Row, cut_test_rows, read_split, select
from training_rows import PAIR_COLUMNS, write_rows


def main(job: Job, config: Config) -> None:
    check(config)
    tokenizer = load_tokenizer(job, "tokenizer", config.template)
    # only the length of the rows counts here, not what the tokenizer's own config thinks of it
    tokenizer.model_max_length = 10**9
    listed = listed_prompts(job) if "decontaminate" in job.file.inputs else None
    report: dict[str, Any] = {"sources": [], "splits": {}}
    chosen: dict[str, list[Row]] = {"train": [], "test": []}
    for source in config.sources:
        counts: dict[str, int] = {}
        for role, split in (("train", source.train), ("test", source.test)):
            if split is not None:
                rows = read_split(job.input(source.input), source, split, config.kind)
                counts[split] = len(rows)
                taken = rows if role == "test" else select(rows, config.seed, source.fraction)
                chosen[role] += taken
        report["sources"].append({"input": source.input, "rows": counts})
    cut_test_rows(config, chosen)

    for role, rows in chosen.items():
        # both splits lie in the order of their draws, so a source does not come in one piece
        rows.sort(key=lambda row: hmac_uniform(config.seed, "order", row["_id"]))
        counter: collections.Counter[str] = collections.Counter()
        make = sft_rows if config.kind == "sft" else preference_rows
        made = list(make(job, config, tokenizer, rows, counter, listed if role == "train" else None))
        documents = len(made)
        if config.kind == "sft" and config.packing:
            made = pack(made, config.max_length)
        tokens = sum(len(ids) for row in made for name, ids in row.items() if name.endswith("_ids"))
        dropped = {name[5:]: count for name, count in sorted(counter.items()) if name.startswith("drop ")}
        noticed = {name: count for name, count in sorted(counter.items()) if not name.startswith("drop ")}
        report["splits"][role] = {
            "read": len(rows), "kept": documents, "dropped": dropped, "noticed": noticed, "rows": len(made), "tokens": tokens,
        }  # fmt: skip
        if role == "train" and not made:
            raise JobError(f"Cannot train on nothing: of {len(rows)} rows, {dropped or 'none'} were dropped", BAD_DATA)
        write_rows(job.out / f"{role}.parquet", made, row_columns(config))
        job.emit("data", rows=len(made), split=role, read=len(rows), tokens=tokens)
    write_json(job.out / "report.json", report)
    train = report["splits"]["train"]
    metrics = {"rows": train["rows"], "test_rows": report["splits"]["test"]["rows"], "tokens": train["tokens"], "dropped": train["dropped"]}
    job.finish(1, 1, metrics)


def row_columns(config: Config) -> list[str]:
    if config.kind == "prefs":
        return PAIR_COLUMNS
    return ["input_ids", *(["labels"] if config.loss_tokens == "assistant" else []), *(["seq_lengths"] if config.packing else [])]


if __name__ == "__main__":
    run("prepare", Config, main)
