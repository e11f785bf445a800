"""The rows that prepare.py writes and that dsft.py and ddpo.py train on: lists of token ids in Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exits import BAD_DATA, JobError

if TYPE_CHECKING:
    import numpy

    from datasets import Dataset

# token ids by column
Tokens = dict[str, "numpy.ndarray"]
# columns of a row for ddpo.py, in their order
PAIR_COLUMNS = ["prompt_ids", "chosen_ids", "rejected_ids"]


def write_rows(path: Path, rows: list[Tokens], columns: list[str]) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    kind = pyarrow.list_(pyarrow.int32())
    table = pyarrow.table({name: pyarrow.array([row[name] for row in rows], type=kind) for name in columns})
    parquet.write_table(table, path, compression="zstd")


def read_rows(folder: Path, split: str) -> Dataset:
    """A split that prepare.py wrote. Held in memory: no cache folder outlives the job, and none is shared by ranks."""
    import pyarrow.parquet as parquet

    from datasets import Dataset

    path = folder / f"{split}.parquet"
    if not path.is_file():
        raise JobError(f'Cannot read "{path}", expected the output of prepare.py', BAD_DATA)
    return Dataset(parquet.read_table(path))


def row_lengths(rows: Dataset, columns: list[str]) -> list[int]:
    """Tokens of each row in these columns together."""
    import pyarrow.compute as compute

    lengths = [compute.list_value_length(rows.data.column(name)).to_pylist() for name in columns]
    return [sum(row) for row in zip(*lengths, strict=True)]


def document_lengths(rows: Dataset, packed: str | None) -> list[int]:
    """Tokens of each document: those that the column `packed` lists for a row, or those of a row."""
    import pyarrow.compute as compute

    if packed is None:
        return row_lengths(rows, ["input_ids"])
    lengths: list[int] = compute.list_flatten(rows.data.column(packed)).to_pylist()
    return lengths


def token_count(rows: Dataset, columns: list[str]) -> int:
    import pyarrow.compute as compute

    return sum(compute.sum(compute.list_value_length(rows.data.column(name))).as_py() or 0 for name in columns)
