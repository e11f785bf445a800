"""The log-probabilities that reference.py writes and ddpo.py trains against: two numbers for each pair, in the order of the pairs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durable_files import digest, write_json
from exits import BAD_DATA, JobError
from pair_batches import REFERENCE_COLUMNS

if TYPE_CHECKING:
    import pyarrow

    from datasets import Dataset

# says which pairs the numbers belong to
DESCRIPTION = "reference.json"
SPLITS = ["train", "test"]
# a sum of logarithms of probabilities is at most 0, but for rounding
MOST = 1e-3


def write_reference(folder: Path, pairs: Path, logps: dict[str, list[tuple[float, float]]]) -> None:
    """Writes both splits and the digests of the files in `pairs` that they were computed of; float32, as they were computed."""
    import pyarrow
    import pyarrow.parquet as parquet

    splits = {}
    for split, rows in logps.items():
        columns = [pyarrow.array([row[number] for row in rows], type=pyarrow.float32()) for number in range(2)]
        parquet.write_table(pyarrow.table(columns, names=REFERENCE_COLUMNS), folder / f"{split}.parquet", compression="zstd")
        splits[split] = {"rows": len(rows), "pairs_sha256": digest(pairs / f"{split}.parquet")}
    write_json(folder / DESCRIPTION, {"version": 1, "splits": splits})


def with_reference(rows: Dataset, folder: Path, pairs: Path, split: str) -> Dataset:
    """
    The rows of a split of `pairs` with the columns of the reference in `folder`. Throws a `JobError` (65) for numbers that
    are none, or that belong to other pairs.
    """
    from datasets import Dataset

    table = read_reference(folder, pairs, split, len(rows))
    merged = rows.data.table
    for name in REFERENCE_COLUMNS:
        merged = merged.append_column(name, table.column(name))
    return Dataset(merged)


def read_reference(folder: Path, pairs: Path, split: str, count: int) -> pyarrow.Table:
    import pyarrow
    import pyarrow.parquet as parquet

    said = described(folder, split)
    expected = digest(pairs / f"{split}.parquet")
    if said["pairs_sha256"] != expected:
        raise refuse(split, f"it was computed for the pairs {said['pairs_sha256'][:12]}, expected {expected[:12]}")
    try:
        table = parquet.read_table(folder / f"{split}.parquet")
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise refuse(split, f'"{split}.parquet" cannot be read: {error}') from error
    kinds = [f"{field.name} {field.type}" for field in table.schema]
    if kinds != [f"{name} float" for name in REFERENCE_COLUMNS]:
        raise refuse(split, f"it has the columns {', '.join(kinds)}, expected {' and '.join(REFERENCE_COLUMNS)} of floats")
    if not len(table) == said["rows"] == count:
        raise refuse(split, f"it has {len(table)} rows, expected {count}, one for each pair")
    for name in REFERENCE_COLUMNS:
        for number, value in enumerate(table.column(name).to_pylist()):
            if value is None or not math.isfinite(value) or value > MOST:
                raise refuse(split, f"{name} of pair {number} is {value}, expected the logarithm of a probability")
    return table


def described(folder: Path, split: str) -> dict[str, Any]:
    """Number of rows and digest of the pairs, as the description of the artifact says them."""
    try:
        said = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["splits"][split]
        return {"rows": int(said["rows"]), "pairs_sha256": str(said["pairs_sha256"])}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise refuse(split, f"{DESCRIPTION} cannot be read: {error!r}, expected the output of reference.py") from error


def refuse(split: str, why: str) -> JobError:
    return JobError(f'Cannot use the reference of the split "{split}": {why}', BAD_DATA)
