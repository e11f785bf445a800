"""Reads a split as `datasets.load_dataset` does; whatever a reader throws becomes a fault of a file, with its place."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_files import Found, by_name, data_files, find_split, kind_of
from exits import BAD_DATA, JobError, is_disk_full
from json_lines import BYTE_ORDER_MARK, opened, read_json_lines

if TYPE_CHECKING:
    from datasets import Dataset

# datasets takes other names only by a pattern of its own
SPLIT = "rows"
LFS_POINTER = b"version https://git-lfs.github.com/"


# of the columns that there are those to read; throws a `JobError` where they will not do
Choice = Callable[[list[str]], list[str]]


def load_split(folder: Path, name: str, config: str | None, split: str, scratch: Path, choose: Choice = list) -> Dataset:
    """
    The rows of a split, in Arrow files under `scratch` that are mapped into memory, so that many rows need little of it. Only
    this split is read, whatever the others hold, and of its columns those that `choose` gives. Faults are `JobError`s (65)
    that name file, row and column.
    """
    # what is prepared for one split must not be taken for the other
    own = Path(tempfile.mkdtemp(dir=scratch))
    found = find_split(folder, name, config, split, own)
    rows = read_files(found, own, choose)
    if found.promised is not None and found.promised != len(rows):
        raise JobError(f'Cannot use the split "{split}" of the dataset "{name}": found {len(rows)} rows, its card says {found.promised}', BAD_DATA)
    return rows.select_columns(choose(rows.column_names))


def load_files(folder: Path, name: str, scratch: Path) -> Iterator[Dataset]:
    """The rows of every file, each with its own columns, whatever config and split it is of."""
    root = folder.absolute()
    for path in data_files(root):
        own = Path(tempfile.mkdtemp(dir=scratch))
        yield read_files(by_name(root, name, path.name, [path], own), own)


def read_files(found: Found, scratch: Path, choose: Choice = list) -> Dataset:
    import datasets

    datasets.disable_progress_bars()
    for path in found.files:
        refuse_what_is_no_data(path, found)
    try:
        found.builder.config.data_files = {SPLIT: [str(unpacked(path, scratch)) for path in found.files]}
        if all(path.suffix == ".parquet" for path in found.files):
            narrow(found, choose)
        # a card may list splits that are not read here
        found.builder.download_and_prepare(verification_mode="no_checks")
        return found.builder.as_dataset(split=SPLIT)
    except JobError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise
        for path in found.files:
            try:
                find_fault(path, found)
            except JobError:
                raise
            except Exception as fault_of_file:
                raise fault(path, found, last_line(fault_of_file)) from error
        raise disagreement(found, error) from error


def narrow(found: Found, choose: Choice) -> None:
    """Parquet is read column by column: others cost nothing then, and may be of types that `datasets` does not have."""
    import pyarrow
    import pyarrow.parquet as parquet

    from datasets import Features

    schema = parquet.read_schema(found.files[0])
    names = choose(schema.names)
    if set(names) == set(schema.names):
        return
    found.builder.config.columns = names
    if found.builder.info.features is None:
        read = pyarrow.schema([schema.field(name) for name in names], schema.metadata)
        found.builder.info.features = Features.from_arrow_schema(read)


def refuse_what_is_no_data(path: Path, found: Found) -> None:
    """What can be seen from the first and last bytes of a file."""
    with open(path, "rb") as file:
        head = file.read(len(LFS_POINTER))
        file.seek(max(0, path.stat().st_size - 4))
        tail = file.read(4)
    if head == LFS_POINTER:
        raise fault(path, found, "it is a Git LFS pointer, not the file; git lfs pull fetches that")
    if kind_of(path) == "parquet" and path.suffix == ".parquet":
        if head[:4] != b"PAR1":
            raise fault(path, found, "it is no Parquet file")
        if tail != b"PAR1":
            raise fault(path, found, "the end of the Parquet file is missing")


def unpacked(path: Path, scratch: Path) -> Path:
    """`datasets` needs a package of its own for Zstandard; pyarrow brings it along."""
    if path.suffix != ".zst":
        return path
    target = scratch / "unpacked" / path.with_suffix("").as_posix().lstrip("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened(path) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy)
    return target


def find_fault(path: Path, found: Found) -> None:
    """Looks through one file for what its reader cannot take; throws the `JobError` that names the place."""
    kind = kind_of(path)
    if kind == "parquet" and path.suffix == ".parquet":
        find_parquet_fault(path, found)
    elif kind == "csv":
        import pandas

        try:
            for _ in pandas.read_csv(path, iterator=True, chunksize=10_000, sep="\t" if ".tsv" in path.suffixes else ","):
                continue
        except Exception as error:
            raise fault(path, found, last_line(error)) from error
    elif kind == "json":
        with opened(path) as file:
            head = file.read(4096).removeprefix(BYTE_ORDER_MARK).lstrip()
        if head.startswith(b"["):
            return
        if not head:
            raise fault(path, found, "it is empty")
        for _ in read_json_lines(path, found.called(path)):
            continue


def find_parquet_fault(path: Path, found: Found) -> None:
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except Exception as error:
        raise fault(path, found, last_line(error)) from error
    row = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        for column in file.schema_arrow.names:
            try:
                file.read_row_group(group, columns=[column])
            except Exception as error:
                raise fault(path, found, f'column "{column}", rows {row + 1} to {row + count}: {last_line(error)}') from error
        row += count


def disagreement(found: Found, error: BaseException) -> JobError:
    """Of files each of which can be read: their columns or types differ from those of the files before them."""
    chain: list[BaseException] = [error]
    while (deeper := chain[-1].__cause__) is not None:
        chain.append(deeper)
    if "corresponds to no data" in str(error):
        return fault(found.files[0], found, "it has no rows")
    told = re.search(r"\n\n(/[^\n]+)\n", str(error))
    blamed = next((path for path in found.files if told is not None and str(path) in told[1]), found.files[0])
    column = re.search(r"Column\(/([^)/]*)", str(chain[-1]))
    where = "" if column is None else f'column "{column[1]}": '
    of = "" if len(found.files) == 1 else " (its rows and those of the other files of the split must have the same columns and types)"
    return fault(blamed, found, f"{where}{' '.join(str(chain[-1]).split())[:300] or type(chain[-1]).__name__}{of}")


def fault(path: Path, found: Found, why: str) -> JobError:
    return JobError(f"Cannot read {found.called(path)}: {why}", BAD_DATA)


def last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
