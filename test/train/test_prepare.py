"""What prepare.py keeps, drops, repairs, cuts and packs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import numpy
import pyarrow.parquet as parquet
import pytest
from conftest import PREFS_DATA, SCRIPTS, SFT_DATA, JobFolder, Json, Lay, assistant, finish, user, write_rows

sys.path.insert(0, str(SCRIPTS))
from dialogue_rows import pack
from filters import Listed, holds_listed, is_disclaimer, normalised, truecase
from left_out import LeftOut
from preference_rows import truncate
from prepare_config import Config
from source_rows import Row, select
from typed_json import parse

DIALOGUE = [user("Sort 3 1 2."), assistant("1 2 3"), user("Thanks!"), assistant("You are welcome.")]


@pytest.fixture(scope="session")
def tokenizer(base: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(base)


# --- casing, disclaimers, contamination ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("hello. how are you? i'm fine, and i think so.", "Hello. How are you? I'm fine, and I think so."),
        ("PLEASE SORT THE LIST BELOW. THANK YOU!", "Please sort the list below. Thank you!"),
        ("Hello. how are you?", "Hello. How are you?"),
        ("Use units, e.g. metres, or feet etc. if you like.", "Use units, e.g. metres, or feet etc. if you like."),
        ("NASA is in the USA.", "NASA is in the USA."),
        ("Ask J. doe about it.", "Ask J. doe about it."),
        ("I own an iPhone. iPhones are fine.", "I own an iPhone. iPhones are fine."),
        ("call `print(x)`. it prints.", "call `print(x)`. it prints."),
        ("see https://example.org/a. it helps", "see https://example.org/a. it helps"),
        ("Version 3.5 is out. 4.0 follows.", "Version 3.5 is out. 4.0 follows."),
        ("OK NO", "OK NO"),
        ("", ""),
        ("日本語。", "日本語。"),
    ],
)
def test_casing_is_repaired_sentence_by_sentence(text: str, repaired: str) -> None:
    assert truecase(text) == repaired
    assert truecase(repaired) == repaired


@pytest.mark.parametrize(
    ("text", "disclaims"),
    [
        ("As an AI language model, I don't have personal opinions, but the book is long.", True),
        ("I do not have emotions or feelings.", True),
        ("I can’t express an opinion on that.", True),
        ("I am not capable of feeling emotions.", True),
        ("The poll asked for opinions. I don't have the numbers.", False),
        ("She said her feelings were hurt.", False),
        ("I have strong opinions on tea.", False),
        ("I don't have the data. Opinions differ.", False),
    ],
)
def test_disclaimers_of_emotions_and_opinions_are_recognised(text: str, disclaims: bool) -> None:
    assert is_disclaimer(text) is disclaims


def listed(*texts: str) -> Listed:
    normal = [normalised(text) for text in texts]
    return Listed(set(normal), {tuple(text.split()[:5]): [text] for text in normal if len(text.split()) >= 5})


def test_a_listed_prompt_is_found_whatever_is_around_it_and_however_it_is_set() -> None:
    benchmark = listed("Return the sum of two given numbers.", "What is 2 + 2?")
    assert holds_listed("Hi! return the SUM of two\ngiven   numbers, please", benchmark)
    assert not holds_listed("Return the sum of two given digits", benchmark)
    assert not holds_listed("xReturn the sum of two given numbers", benchmark)
    # four words are said every day: they count only alone
    assert holds_listed("what is 2+2", benchmark)
    assert not holds_listed("Tell me what is 2 + 2 and why", benchmark)


def test_every_drop_is_counted_by_its_reason(lay: Lay, base: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt_id": "good", "messages": DIALOGUE},
        {"prompt_id": "open", "messages": DIALOGUE[:3]},
        {"prompt_id": "none", "messages": []},
        {"prompt_id": "blank", "messages": [user("Hi"), assistant(" ")]},
        {"prompt_id": "ai", "messages": [user("Tea?"), assistant("I don't have opinions.")]},
        {"prompt_id": "exam", "messages": [user("Name the capital city of France now"), assistant("Paris")]},
    ]
    write_rows(tmp_path / "data" / "train_sft.jsonl", rows)
    write_rows(tmp_path / "exam" / "prompts.jsonl", [{"prompt": "name the capital city of France"}])
    source = {**SFT_DATA["sources"][0], "test": None, "rows": {"train_sft": 6}}
    config = {**SFT_DATA, "packing": False, "max_dropped": 0.5, "sources": [source], "filters": {"truecase": True, "drop_refusals": True}}
    inputs = {"tokenizer": base, "data0": tmp_path / "data", "decontaminate": tmp_path / "exam"}
    job = finish(lay("prepare", config, inputs))
    report = json.loads((job.out / "report.json").read_text())
    assert report["splits"]["train"]["dropped"] == {
        "contaminated": 1, "disclaimer": 1, "a turn without text": 1, "ends with a user turn": 1, "no turns": 1,
    }  # fmt: skip
    assert report["splits"]["train"]["kept"] == report["splits"]["train"]["rows"] == 1
    assert parquet.read_table(job.out / "test.parquet").num_rows == 0


# --- what is refused ----------------------------------------------------------------------------------------------


def refused(lay: Lay, base: Path, world: Path, source: Json) -> JobFolder:
    job = lay("prepare", {**SFT_DATA, "sources": [{**SFT_DATA["sources"][0], **source}]}, {"tokenizer": base, "data0": world})
    assert job.run() == 65
    return job


def test_another_number_of_rows_than_the_recipe_says_is_refused(lay: Lay, base: Path, world: Path) -> None:
    job = refused(lay, base, world, {"rows": {"train_sft": 207865}})
    assert job.error() == 'Cannot use the split "train_sft" of the dataset "data0": found 160 rows, expected 207865'


def test_missing_columns_are_named_with_those_found(lay: Lay, base: Path, world: Path) -> None:
    job = refused(lay, base, world, {"train": "train_prefs", "rows": None})
    expected = 'Cannot use the split "train_prefs" of the dataset "data0": found the columns prompt_id, prompt, chosen, rejected, expected messages, conversations, or prompt and completion'
    assert job.error() == expected


def test_a_missing_split_is_named_with_the_files_found(lay: Lay, base: Path, world: Path) -> None:
    job = refused(lay, base, world, {"train": "validation", "rows": None})
    assert job.error() == (
        'Cannot find the split "validation" in the dataset "data0": it has the splits train, test, '
        "found data/test_prefs.jsonl, data/test_sft.jsonl, data/train_prefs.jsonl, data/train_sft.jsonl, prompts.jsonl"
    )


def test_a_field_of_the_other_kind_is_refused(lay: Lay, base: Path, world: Path) -> None:
    job = lay("prepare", {**PREFS_DATA, "packing": True}, {"tokenizer": base, "data0": world})
    assert job.run() == 64
    assert job.error() == 'Cannot use the unknown key "packing" in config'
    job = lay("prepare", {**PREFS_DATA, "kind": "pairs"}, {"tokenizer": base, "data0": world})
    assert job.run() == 64
    assert job.error() == 'Cannot use config.kind = "pairs", expected one of "sft", "prefs"'


# --- choosing rows ------------------------------------------------------------------------------------------------


def test_a_share_of_the_rows_does_not_depend_on_the_other_rows() -> None:
    rows = [Row(f"row-{index}", cast(Any, None), index) for index in range(1000)]
    half = select(rows, 1, 0.5)
    assert 430 < len(half) < 570
    assert select(rows[::2], 1, 0.5) == [row for row in half if row.index % 2 == 0]
    assert select(rows, 2, 0.5) != half


def test_test_rows_are_cut_from_the_training_rows_when_there_is_no_test_split(lay: Lay, base: Path, world: Path) -> None:
    source = {**SFT_DATA["sources"][0], "test": None}
    config = {**SFT_DATA, "packing": False, "test_rows": 10, "sources": [source]}
    job = finish(lay("prepare", config, {"tokenizer": base, "data0": world}))
    splits = json.loads((job.out / "report.json").read_text())["splits"]
    assert (splits["train"]["kept"], splits["test"]["kept"]) == (150, 10)


def test_a_share_of_the_pairs_trains_and_few_of_the_held_out_ones_test(lay: Lay, base: Path, world: Path, prefs_data: Path) -> None:
    config = {**PREFS_DATA, "test_rows": 3, "sources": [{**PREFS_DATA["sources"][0], "fraction": 0.5}]}
    few = finish(lay("prepare", config, {"tokenizer": base, "data0": world})).out
    for split, least, most in (("train", 40, 80), ("test", 3, 3)):
        some, whole = (parquet.read_table(folder / f"{split}.parquet").to_pylist() for folder in (few, prefs_data))
        assert least <= len(some) <= most < len(whole)
        assert all(row in whole for row in some)


# --- packing ------------------------------------------------------------------------------------------------------


def test_packing_loses_no_token_and_keeps_every_row_within_its_length() -> None:
    lengths = [5, 64, 130, 1, 30, 34, 33, 64, 2, 17]
    documents = [{"input_ids": numpy.arange(length) + number * 1000} for number, length in enumerate(lengths)]
    rows = [{name: values.tolist() for name, values in row.items()} for row in pack(documents, 64)]
    assert sorted(token for row in rows for token in row["input_ids"]) == sorted(token for d in documents for token in d["input_ids"])
    for row in rows:
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) <= 64
        start = 0
        for length in row["seq_lengths"]:
            assert len({token // 1000 for token in row["input_ids"][start : start + length]}) == 1
            start += length
    # 380 tokens do not fit into five rows, and best fit needs no more than one beyond the least
    assert len(rows) <= 7


def test_a_piece_without_an_answer_is_left_out() -> None:
    [row] = pack([{"input_ids": numpy.arange(12), "labels": numpy.array([-100] * 8 + [8, 9, 10, 11])}], 8)
    assert {name: values.tolist() for name, values in row.items()} == {"input_ids": [8, 9, 10, 11], "labels": [8, 9, 10, 11], "seq_lengths": [4]}


def test_loss_on_answers_alone_gives_labels_for_them_alone(lay: Lay, base: Path, world: Path, tokenizer: Any) -> None:
    config = {**SFT_DATA, "packing": False, "loss_tokens": "assistant", "max_length": 256}
    job = finish(lay("prepare", config, {"tokenizer": base, "data0": world}))
    row = parquet.read_table(job.out / "train.parquet").to_pylist()[0]
    counted = tokenizer.decode([label for label in row["labels"] if label != -100])
    text = tokenizer.decode(row["input_ids"])
    answers = "".join(part.split("\n<|user|>")[0].rstrip("\n") for part in text.split("<|assistant|>\n")[1:])
    assert counted == answers and counted.endswith("</s>")


# --- preferences --------------------------------------------------------------------------------------------------


def test_a_pair_is_one_prompt_and_two_answers_with_their_end_tokens(prefs_data: Path, tokenizer: Any) -> None:
    row = parquet.read_table(prefs_data / "train.parquet").to_pylist()[0]
    prompt, chosen, rejected = (tokenizer.decode(row[name]) for name in ("prompt_ids", "chosen_ids", "rejected_ids"))
    assert prompt.startswith("<s><|system|>\n</s>\n<|user|>\n") and prompt.endswith("</s>\n<|assistant|>\n")
    for answer in (chosen, rejected):
        assert answer.endswith(".</s>") and answer.count("</s>") == 1


def prompt_of(length: int) -> list[int]:
    return list(range(1000, 1000 + length))


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected", "kept"),
    [
        # fits: left alone, although the prompt is longer than max_prompt_length
        (40, 20, 24, (40, 20, 24)),
        # the prompt loses its beginning, the answers nothing
        (50, 20, 30, (32, 20, 30)),
        # both are cut, the prompt on the left and the answers on the right
        (50, 60, 10, (32, 32, 10)),
        # a short prompt is not cut, the answers still only get what max_prompt_length leaves
        (10, 70, 5, (10, 32, 5)),
    ],
)
def test_long_pairs_are_cut_as_version_0_3_cut_them(prompt: int, chosen: int, rejected: int, kept: tuple[int, int, int]) -> None:
    config = parse(Config, PREFS_DATA, "config")
    made = truncate(prompt_of(prompt), list(range(chosen)), list(range(rejected)), config, LeftOut([]))
    assert tuple(len(made[name]) for name in ("prompt_ids", "chosen_ids", "rejected_ids")) == kept
    assert made["prompt_ids"].tolist() == prompt_of(prompt)[-kept[0] :]
    assert made["chosen_ids"].tolist() == list(range(kept[1]))


def test_pairs_that_differ_only_in_what_is_cut_away_are_dropped_by_their_tokens(
    lay: Lay, base: Path, tmp_path: Path, tokenizer: Any
) -> None:
    ask = [user("Hi there")]
    # as many tokens as an answer may keep, whatever the tokenizer makes of the words
    words = "Yes"
    while len(tokenizer(words, add_special_tokens=False)["input_ids"]) <= PREFS_DATA["max_length"] - PREFS_DATA["max_prompt_length"]:
        words += " and yes again"
    long = {"prompt": "Hi there", "chosen": [*ask, assistant(f"{words} Good.")], "rejected": [*ask, assistant(f"{words} Bad.")]}
    early = {**long, "chosen": [*ask, assistant(f"Good. {words}")], "rejected": [*ask, assistant(f"Bad. {words}")]}
    short = {**long, "chosen": [*ask, assistant("Good.")], "rejected": [*ask, assistant("Bad.")]}
    write_rows(tmp_path / "train_prefs.jsonl", [long, early, short])
    config = {**PREFS_DATA, "max_dropped": 0.75, "sources": [{**PREFS_DATA["sources"][0], "test": None}]}
    job = finish(lay("prepare", config, {"tokenizer": base, "data0": tmp_path}))
    train = json.loads((job.out / "report.json").read_text())["splits"]["train"]
    assert train["dropped"] == {"equal when cut": 1}
    assert (train["kept"], train["noticed"]["answer cut"]) == (2, 2)
    rows = parquet.read_table(job.out / "train.parquet").to_pylist()
    assert all(row["chosen_ids"] != row["rejected_ids"] for row in rows)


def test_pairs_without_a_difference_are_dropped_and_counted(lay: Lay, base: Path, tmp_path: Path) -> None:
    pair = {"prompt": "Hi there", "chosen": [user("Hi there"), assistant("Yes")], "rejected": [user("Hi there"), assistant("No")]}
    rows = [pair, {**pair, "rejected": pair["chosen"]}, {**pair, "rejected": [user("Bye"), assistant("No")]}, {**pair, "chosen": []}]
    write_rows(tmp_path / "train_prefs.jsonl", rows)
    config = {**PREFS_DATA, "max_dropped": 0.75, "sources": [{**PREFS_DATA["sources"][0], "test": None}]}
    job = finish(lay("prepare", config, {"tokenizer": base, "data0": tmp_path}))
    train = json.loads((job.out / "report.json").read_text())["splits"]["train"]
    assert train["dropped"] == {"different prompts": 1, "equal answers": 1, "no turns": 1}
    assert train["kept"] == 1
