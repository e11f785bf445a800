"""Files of data: read column by column, and what cannot be read is a fault of the data that names its place."""

from __future__ import annotations

import bz2
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest
from conftest import PREFS_DATA, SCRIPTS, SFT_DATA, Json, Lay, assistant, finish, user, write_rows

sys.path.insert(0, str(SCRIPTS))
from dataset_reader import load_split
from exits import BAD_DATA, JobError
from prepare_config import Source
from row_shapes import row_dialogue
from source_rows import contents, read_split

PLAIN = [user("Tea?"), assistant("Yes.")]
LONG = [{"role": "system", "content": "Be brief."}, *PLAIN, user("Milk?"), assistant("No.")]


def source(split: str = "train") -> Source:
    return Source(input="beds", train=split, test=None, fraction=1, rows=None)


def ids(folder: Path, tmp_path: Path) -> list[str]:
    return [row.id for row in read_split(folder, source(), "train", "sft", tmp_path)]


def test_ids_are_those_of_what_is_read_whatever_the_other_columns_and_the_way_it_is_stored(tmp_path: Path) -> None:
    rows: list[Json] = [{"messages": [user(f"Bed {bed}?"), assistant("Loam.")]} for bed in range(3)]
    write_rows(tmp_path / "plain" / "train.jsonl", rows)
    write_rows(tmp_path / "more" / "train.jsonl", [{**row, "at": float("nan"), "n": number} for number, row in enumerate(rows)])
    write_rows(tmp_path / "text" / "train.jsonl", [{"messages": json.dumps(row["messages"])} for row in rows])
    odd = [{"messages": [{**turn, **({"tool_calls": [1]} if index == 1 else {})} for turn in row["messages"]]} for index, row in enumerate(rows)]
    write_rows(tmp_path / "json" / "train.jsonl", odd)
    columns = {"messages": [row["messages"] for row in rows], "when": pyarrow.array([0, 1, None], pyarrow.timestamp("ns"))}
    (tmp_path / "typed").mkdir()
    parquet.write_table(pyarrow.table(columns), tmp_path / "typed" / "train.parquet")
    expected = ids(tmp_path / "plain", tmp_path)
    assert len(set(expected)) == 3
    for other in ("more", "text", "json", "typed"):
        assert ids(tmp_path / other, tmp_path) == expected, other


@pytest.mark.parametrize(
    "extra",
    [
        pyarrow.array([[("a", 1)], []], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        pyarrow.array([b"ab", b"cd"], pyarrow.binary(2)),
        pyarrow.array([1, None], pyarrow.duration("s")),
        pyarrow.array([2**30, 1], pyarrow.date32()),
        pyarrow.nulls(2),
    ],
    ids=str,
)
def test_a_column_that_is_not_read_may_be_of_any_type(tmp_path: Path, extra: Any) -> None:
    (tmp_path / "beds").mkdir()
    parquet.write_table(pyarrow.table({"messages": [PLAIN, LONG], "extra": extra}), tmp_path / "beds" / "train.parquet")
    found = read_split(tmp_path / "beds", source(), "train", "sft", tmp_path)
    assert [row_dialogue(content) for content in contents(found)] == [PLAIN, LONG]


def test_a_message_with_one_key_more_changes_no_other_row(tmp_path: Path) -> None:
    rows: list[Json] = [{"messages": PLAIN}, {"messages": [{**PLAIN[0], "name": "Ann"}, PLAIN[1]]}]
    write_rows(tmp_path / "in" / "train.jsonl", rows)
    found = read_split(tmp_path / "in", source(), "train", "sft", tmp_path)
    assert [row_dialogue(content) for content in contents(found)] == [PLAIN, PLAIN]
    # and as datasets writes such a column to Parquet
    write_rows(tmp_path / "wide" / "train.jsonl", [{**row, "unused": 1} for row in rows])
    table = load_split(tmp_path / "wide", "wide", None, "train", tmp_path)
    assert "Json" in str(table.features["messages"])
    (tmp_path / "parquet").mkdir()
    table.to_parquet(tmp_path / "parquet" / "train.parquet")
    found = read_split(tmp_path / "parquet", source(), "train", "sft", tmp_path)
    assert [row_dialogue(content) for content in contents(found)] == [PLAIN, PLAIN]


def test_rows_are_read_in_any_order_from_any_source(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_rows(tmp_path / name / "train.jsonl", [{"messages": [user(f"{name} {bed}?"), assistant("Loam.")]} for bed in range(4)])
    one, two = (read_split(tmp_path / name, source(), "train", "sft", tmp_path) for name in ("one", "two"))
    found = contents([two[3], one[0], two[1], one[2]])
    assert [content["messages"][0]["content"] for content in found] == ["two 3?", "one 0?", "two 1?", "one 2?"]


def lines(*rows: Json) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def packed(rows: list[Json]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows), sink, row_group_size=10)
    return sink.getvalue().to_pybytes()


GOOD = {"messages": PLAIN}
MANY = packed([{"note": f"{number * 7919}" * 9, "messages": PLAIN} for number in range(40)])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.jsonl", lines(GOOD, GOOD) + b'{"messages": oops}\n', 'line 3, column 14, of "train.jsonl" of the dataset "beds": expected JSON'),
        ("train.jsonl", lines(GOOD) + b'{"messages": "\xff"}\n', 'line 2, column 15, of "train.jsonl" of the dataset "beds": expected UTF-8, found the byte 0xff'),
        ("train.jsonl", lines(GOOD) + b"[1]\n", 'line 2 of "train.jsonl" of the dataset "beds": expected a JSON object, found [1]'),
        ("train.jsonl", b"", '"train.jsonl" of the dataset "beds": it is empty'),
        ("train.jsonl", b"version https://git-lfs.github.com/spec/v1\n", '"train.jsonl" of the dataset "beds": it is a Git LFS pointer'),
        ("train.jsonl.gz", gzip.compress(lines(GOOD) * 99)[:-12], '"train.jsonl.gz" of the dataset "beds", expected a whole compressed file'),
        ("train.jsonl.bz2", bz2.compress(lines(GOOD) * 99)[:60] + b"\xff" * 9, '"train.jsonl.bz2" of the dataset "beds"'),
        ("train.jsonl.zst", pyarrow.compress(lines(GOOD) * 99, codec="zstd", asbytes=True)[:-9], '"train.jsonl.zst" of the dataset "beds"'),
        ("train.jsonl.zst", b"no frame", '"train.jsonl.zst" of the dataset "beds"'),
        ("train.json", b"[]", '"train.json" of the dataset "beds": it has no rows'),
        ("train.json", b'[{"prompt": 1}, oops]', '"train.json" of the dataset "beds"'),
        ("train.parquet", packed([GOOD])[:4] + b"PAR1", '"train.parquet" of the dataset "beds"'),
        ("train.jsonl.gz", gzip.compress(lines(GOOD) + b"{]\n"), 'line 2, column 2, of "train.jsonl.gz"'),
        ("data/train-00000-of-00001.parquet", MANY[:-20], '"data/train-00000-of-00001.parquet" of the dataset "beds": the end of the Parquet'),
        ("train.parquet", lines(GOOD), '"train.parquet" of the dataset "beds": it is no Parquet file'),
        ("train.parquet", MANY[:40] + b"\xff" * 90 + MANY[130:], '"train.parquet" of the dataset "beds": column "note", rows 1 to 10: '),
        ("train.csv", b"prompt,completion\na,b\na,b,c\n", '"train.csv" of the dataset "beds": Error tokenizing data. C error: Expected 2 fields in line 3'),
    ],
)  # fmt: skip
def test_what_a_reader_cannot_take_is_a_fault_of_the_data_with_its_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / "beds" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(JobError) as refused:
        load_split(tmp_path / "beds", "beds", None, "train", tmp_path)
    assert refused.value.code == BAD_DATA
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_files_that_disagree_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "beds" / "train-1.jsonl", [{**GOOD, "n": 1}])
    write_rows(tmp_path / "beds" / "train-2.jsonl", [{**GOOD, "n": "one"}])
    with pytest.raises(JobError, match="the other files of the split must have the same columns and types"):
        load_split(tmp_path / "beds", "beds", None, "train", tmp_path)


def test_a_row_count_that_the_card_does_not_promise_is_refused(tmp_path: Path) -> None:
    card = "---\ndataset_info:\n  splits:\n  - name: train\n    num_bytes: 5\n    num_examples: 5\n---\n"
    write_rows(tmp_path / "beds" / "train.jsonl", [GOOD])
    (tmp_path / "beds" / "README.md").write_text(card)
    with pytest.raises(JobError, match="found 1 rows, its card says 5"):
        load_split(tmp_path / "beds", "beds", None, "train", tmp_path)


def test_a_split_is_read_whatever_the_other_ones_hold(tmp_path: Path) -> None:
    write_rows(tmp_path / "beds" / "train.jsonl", [GOOD])
    (tmp_path / "beds" / "test.jsonl").write_text("oops\n")
    assert load_split(tmp_path / "beds", "beds", None, "train", tmp_path).to_list() == [GOOD]


def test_rows_that_all_are_of_another_shape_are_refused_with_what_is_read(lay: Lay, base: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train_prefs.jsonl", [{"chosen": f"Yes {number}.", "rejected": "No."} for number in range(4)])
    job = lay("prepare", {**PREFS_DATA, "sources": [{**PREFS_DATA["sources"][0], "test": None}]}, {"tokenizer": base, "data0": tmp_path})
    assert job.run() == BAD_DATA
    assert "4 of 4 rows would be left out" in job.error() and "4 answers of text without a prompt" in job.error()
    assert job.error().endswith("; expected chosen and rejected, as dialogues or as answers to prompt or question")
    assert not list(job.folder.glob("rows-*")), "what was read is gone with the job"


def test_filters_that_the_recipe_asks_for_count_against_no_share(lay: Lay, base: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train_sft.jsonl", [GOOD, {"messages": [user("Tea?"), assistant("I don't have opinions.")]}])
    config = {**SFT_DATA, "max_dropped": 0, "sources": [{**SFT_DATA["sources"][0], "test": None, "rows": None}]}
    job = finish(lay("prepare", config, {"tokenizer": base, "data0": tmp_path}))
    [event] = job.events("dropped")
    assert {name: event[name] for name in ("input", "split", "read", "reasons")} == {
        "input": "data0", "split": "train_sft", "read": 2, "reasons": {"disclaimer": 1},
    }  # fmt: skip
