"""Reads the rows of data sets and chooses among them."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canonical_json import canonical_json
from dataset_reader import load_split
from exits import BAD_DATA, JobError
from messages import Unusable
from prepare_config import Config, Source
from row_shapes import WANTED, columns_of, row_dialogue, row_pair

if TYPE_CHECKING:
    from datasets import Dataset

# rows read at once
BATCH = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """The rows of a split on the disk, in their order, with the columns that are read and `prompt_id`."""

    source: Source
    name: str
    columns: list[str]
    rows: Dataset


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """Where a row is; what it holds is read when it is needed."""

    id: str
    split: Split
    index: int


def read_split(folder: Path, source: Source, split: str, kind: str, scratch: Path) -> list[Row]:
    of = f'the split "{split}" of the dataset "{source.input}"'

    def choose(names: list[str]) -> list[str]:
        columns = columns_of(kind, names)
        if not columns:
            raise JobError(f"Cannot use {of}: found the columns {', '.join(names) or 'none'}, {WANTED[kind]}", BAD_DATA)
        return [*columns, *(["prompt_id"] if "prompt_id" in names else [])]

    rows = load_split(folder, source.input, source.config, split, scratch, choose)
    wanted = None if source.rows is None else source.rows.get(split)
    if wanted is not None and wanted != len(rows):
        raise JobError(f"Cannot use {of}: found {len(rows)} rows, expected {wanted}", BAD_DATA)
    held = Split(source, split, columns_of(kind, rows.column_names), rows)
    return [Row(id, held, index) for index, id in enumerate(row_ids(held, kind))]


def row_ids(split: Split, kind: str) -> Iterator[str]:
    """`prompt_id`, or else a digest of what is read of the row: other columns, and how they are stored, change nothing."""
    for row in batches(split.rows):
        named = row.get("prompt_id")
        yield named if isinstance(named, str) and named else content_id({name: row[name] for name in split.columns}, kind)


def content_id(row: dict[str, Any], kind: str) -> str:
    try:
        text = canonical_json(row_dialogue(row) if kind == "sft" else list(row_pair(row)))
    except Unusable:
        # it will be left out, but is drawn like any other before
        text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def batches(rows: Dataset) -> Iterator[dict[str, Any]]:
    for batch in rows.iter(BATCH):
        yield from unbatched(batch)


def unbatched(batch: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(batch, members, strict=True)) for members in zip(*batch.values(), strict=True))


def contents(rows: list[Row]) -> list[dict[str, Any]]:
    """What the rows hold in the columns that are read, split by split and so with few accesses."""
    found: dict[Row, dict[str, Any]] = {}
    for split in dict.fromkeys(row.split for row in rows):
        own = [row for row in rows if row.split is split]
        values = unbatched(split.rows.select_columns(split.columns)[[row.index for row in own]])
        found.update(zip(own, values, strict=True))
    return [found[row] for row in rows]


def in_batches(rows: list[Row]) -> Iterator[list[tuple[Row, dict[str, Any]]]]:
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        yield list(zip(part, contents(part), strict=True))


def hmac_uniform(seed: int, purpose: str, item: str) -> float:
    """A number in [0, 1) drawn as base/hmac-choice.ts draws it: it depends on seed, purpose and item alone."""
    digest = hmac.digest(str(seed).encode(), f"{purpose}\0{item}".encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:6], "big") / 2**48


def select(rows: list[Row], seed: int, fraction: float) -> list[Row]:
    return rows if fraction >= 1 else [row for row in rows if hmac_uniform(seed, "select", row.id) < fraction]


def cut_test_rows(config: Config, chosen: dict[str, list[Row]]) -> None:
    """A test split is cut down to `test_rows` rows, or made of that many rows of the training split."""
    if config.test_rows is None:
        return
    held_out = bool(chosen["test"])
    pool = chosen["test"] if held_out else chosen["train"]
    pool.sort(key=lambda row: hmac_uniform(config.seed, "test", row.id))
    chosen["test"], rest = pool[: config.test_rows], pool[config.test_rows :]
    if not held_out:
        chosen["train"] = rest


def in_order(rows: Iterable[Row], seed: int) -> list[Row]:
    """In the order of their draws, so that a source does not come in one piece."""
    return sorted(rows, key=lambda row: hmac_uniform(seed, "order", row.id))
