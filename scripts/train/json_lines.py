"""JSON Lines: one reader that says where a line is wrong, one writer."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from exits import BAD_DATA, JobError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json_lines(path: Path, called: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Number and object of each line that is not blank; `called` is what messages call the file. Only a line feed ends a line
    (jsonlines.org), so U+2028 inside a text tears nothing. A `JobError` (65) names the line and column that is no JSON.
    """
    called = called or f'"{path.name}"'
    try:
        with opened(path) as file:
            for number, line in enumerate(file, 1):
                if number == 1:
                    line = line.removeprefix(BYTE_ORDER_MARK)
                if line.strip():
                    yield number, json_object(line, number, called)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise JobError(f"Cannot read {called}, expected a whole compressed file: {error}", BAD_DATA) from error


def json_object(line: bytes, number: int, called: str) -> dict[str, Any]:
    def refuse(why: str, column: int | None = None) -> JobError:
        place = f"line {number}" if column is None else f"line {number}, column {column},"
        return JobError(f"Cannot read {place} of {called}: {why}", BAD_DATA)

    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise refuse(f"expected UTF-8, found the byte 0x{line[error.start]:02x}", error.start + 1) from error
    except json.JSONDecodeError as error:
        raise refuse(f"expected JSON ({error.msg})", error.colno) from error
    except RecursionError as error:
        raise refuse("expected JSON of fewer levels") from error
    if not isinstance(value, dict):
        raise refuse(f"expected a JSON object, found {json.dumps(value)[:60]}")
    return value


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    # a bare carriage return must not become a line's end on any system
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def opened(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where its ending says that it is compressed."""
    if path.suffix == ".zst":
        import pyarrow

        unpacked: IO[bytes] = pyarrow.input_stream(str(path), compression="zstd")
        return unpacked
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    file: IO[bytes] = openers.get(path.suffix, open)(path, "rb")
    return file
