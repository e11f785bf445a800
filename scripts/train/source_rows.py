"""Reads the rows of data sets and chooses among them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from canonical_json import canonical_json
from draws import hmac_uniform
from exits import BAD_DATA, JobError
from prepare_config import Config, Source

Row = dict[str, Any]


def split_files(folder: Path, split: str) -> list[Path]:
    """Where `datasets` would find the split: data/SPLIT-00000-of-00001.parquet, SPLIT.jsonl and the like."""
    name = re.compile(rf"{re.escape(split)}(-\d.*)?\.(parquet|jsonl)")
    return sorted(path for path in folder.rglob("*") if name.fullmatch(path.name) and ".cache" not in path.parts)


def read_file(path: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        table = parquet.read_table(path)
        return table.column_names, table.to_pylist()
    import json

    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return sorted({name for row in rows for name in row}), rows


def read_split(folder: Path, source: Source, split: str, kind: str) -> list[Row]:
    expected = ("messages",) if kind == "sft" else ("prompt", "chosen", "rejected")
    paths = split_files(folder, split)
    if not paths:
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[:20]
        raise JobError(f'Cannot find the split "{split}" in the dataset "{source.input}", found {", ".join(found) or "no file"}', BAD_DATA)
    rows: list[Row] = []
    for path in paths:
        columns, part = read_file(path)
        missing = [name for name in expected if name not in columns]
        if missing:
            raise JobError(
                f'Cannot use the split "{split}" of the dataset "{source.input}": found the columns {", ".join(columns)}, '
                f'expected {", ".join(expected)}', BAD_DATA
            )  # fmt: skip
        rows += [{**{name: row.get(name) for name in expected}, "_id": row_id(row)} for row in part]
    wanted = None if source.rows is None else source.rows.get(split)
    if wanted is not None and wanted != len(rows):
        raise JobError(f'Cannot use the split "{split}" of the dataset "{source.input}": found {len(rows)} rows, expected {wanted}', BAD_DATA)
    return rows


def row_id(row: Row) -> str:
    named = row.get("prompt_id")
    return named if isinstance(named, str) and named else hashlib.sha256(canonical_json(row).encode("utf-8", "surrogatepass")).hexdigest()


def select(rows: list[Row], seed: int, fraction: float) -> list[Row]:
    return rows if fraction >= 1 else [row for row in rows if hmac_uniform(seed, "select", row["_id"]) < fraction]


def cut_test_rows(config: Config, chosen: dict[str, list[Row]]) -> None:
    """`test_rows`: a test split is cut down to so many rows, or made of so many rows of the training split."""
    if config.test_rows is None:
        return
    held_out = bool(chosen["test"])
    pool = chosen["test"] if held_out else chosen["train"]
    pool.sort(key=lambda row: hmac_uniform(config.seed, "test", row["_id"]))
    chosen["test"], rest = pool[: config.test_rows], pool[config.test_rows :]
    if not held_out:
        chosen["train"] = rest
