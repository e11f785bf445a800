"""Rows in the shapes that people have: read as one dialogue or one pair, or left out for a reason that has a name."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from conftest import PREFS_DATA, SCRIPTS, Json, Lay, assistant, finish, user, write_rows

sys.path.insert(0, str(SCRIPTS))
from messages import Unusable
from row_shapes import columns_of, row_dialogue, row_pair

SYSTEM = {"role": "system", "content": "Be brief."}
PLAIN = [user("Tea?"), assistant("Yes.")]
LONG = [SYSTEM, *PLAIN, user("Milk?"), assistant("No.")]


def shared(turns: list[Json]) -> list[Json]:
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": names[turn["role"]], "value": turn["content"]} for turn in turns]


def parts(text: str) -> list[Json]:
    return [{"type": "text", "text": text[:2]}, {"type": "text", "text": text[2:]}]


# --- dialogues ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"messages": LONG}, LONG),
        ({"messages": [{**turn, "name": None, "tool_calls": None} for turn in LONG]}, LONG),
        ({"conversations": shared(LONG)}, LONG),
        ({"conversations": [{**turn, "role": None, "content": None} for turn in shared(LONG)]}, LONG),
        ({"conversation": PLAIN}, PLAIN),
        ({"messages": [{**turn, "content": parts(turn["content"])} for turn in LONG]}, LONG),
        ({"messages": [{**turn, "content": [turn["content"]]} for turn in LONG]}, LONG),
        ({"messages": [{"role": "system", "content": None}, *PLAIN]}, PLAIN),
        ({"messages": [{"role": "system", "content": " "}, *PLAIN]}, PLAIN),
        ({"messages": {"role": ["user", "assistant"], "content": ["Tea?", "Yes."]}}, PLAIN),
        ({"conversations": {"from": ["human", "gpt"], "value": ["Tea?", "Yes."], "weight": [None, 1]}}, PLAIN),
        ({"messages": json.dumps(LONG)}, LONG),
        ({"conversations": json.dumps(shared(LONG), indent=1)}, LONG),
        ({"messages": [json.dumps(turn) for turn in LONG]}, LONG),
        ({"prompt": "Tea?", "completion": "Yes."}, PLAIN),
        ({"prompt": "Tea?", "completion": '[{"answer": 1}]'}, [user("Tea?"), assistant('[{"answer": 1}]')]),
        ({"prompt": LONG[:-1], "completion": LONG[-1:]}, LONG),
        # a system prompt in a column of its own
        ({"system": "Be brief.", "conversations": shared(PLAIN)}, [SYSTEM, *PLAIN]),
        ({"system_prompt": "Be brief.", "prompt": "Tea?", "completion": "Yes."}, [SYSTEM, *PLAIN]),
        ({"system": "Be long.", "messages": [SYSTEM, *PLAIN]}, [SYSTEM, *PLAIN]),
        ({"system": None, "messages": PLAIN}, PLAIN),
        ({"system": " ", "messages": PLAIN}, PLAIN),
    ],
)
def test_a_dialogue_is_read_whatever_its_shape(row: Json, expected: list[Json]) -> None:
    assert row_dialogue({name: row[name] for name in columns_of("sft", row)}) == expected


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "no turns"),
        ([SYSTEM], "no turns"),
        (None, "no list of messages"),
        ("Tea?", "no list of messages"),
        ("[not JSON", "no list of messages"),
        ([None], "no list of messages"),
        ([{"content": "Tea?"}], "a turn without a role"),
        ([user("Tea?"), {"role": "tool", "content": "1"}], 'a turn of the role "tool"'),
        ([user("Tea?"), {"role": "assistant", "content": None}], "a turn without text"),
        ([user(" "), assistant("Yes.")], "a turn without text"),
        ([user("Tea?"), {"role": "assistant", "content": [{"type": "image", "url": "x"}]}], "a turn whose content is no text"),
        ([user("Tea?"), {"role": "assistant", "content": 7}], "a turn whose content is no text"),
        ([user("Tea?"), user("Tea?"), assistant("Yes.")], "two user turns in a row"),
        ([*PLAIN, assistant("Yes.")], "two assistant turns in a row"),
        ([assistant("Yes."), *PLAIN], "begins with an assistant turn"),
        ([*PLAIN, user("Milk?")], "ends with a user turn"),
        ([*PLAIN, SYSTEM, *PLAIN], "a system turn that is not the first"),
        ({"role": ["user", "assistant"], "content": ["Tea?"]}, "roles and texts of different numbers"),
    ],
)
def test_a_dialogue_that_cannot_be_trained_on_has_a_reason(turns: Any, reason: str) -> None:
    with pytest.raises(Unusable) as left_out:
        row_dialogue({"messages": turns})
    assert str(left_out.value) == reason


# --- pairs --------------------------------------------------------------------------------------------------------

YES, NO = [user("Tea?"), assistant("Yes.")], [user("Tea?"), assistant("No.")]


@pytest.mark.parametrize(
    "row",
    [
        # whole dialogues, alone and beside the prompt that UltraFeedback has
        {"chosen": YES, "rejected": NO},
        {"prompt": "Tea?", "chosen": YES, "rejected": NO},
        {"prompt": YES[:1], "chosen": YES, "rejected": NO},
        # TRL's explicit prompt
        {"prompt": YES[:1], "chosen": YES[1:], "rejected": NO[1:]},
        {"prompt": "Tea?", "chosen": YES[1:], "rejected": NO[1:]},
        {"prompt": "Tea?", "chosen": "Yes.", "rejected": "No."},
        {"prompt": YES[:1], "chosen": "Yes.", "rejected": "No."},
        # ShareGPT's names
        {"conversations": shared(YES[:1]), "chosen": shared(YES)[1], "rejected": shared(NO)[1]},
        {"prompt": json.dumps(YES[:1]), "chosen": json.dumps(YES[1:]), "rejected": json.dumps(NO[1:])},
        # columns that say the same again
        {"prompt": "Tea?", "messages": YES, "chosen": YES, "rejected": NO, "score_chosen": 9},
    ],
)
def test_a_pair_is_read_whatever_its_shape(row: Json) -> None:
    assert row_pair({name: row[name] for name in columns_of("prefs", row)}) == (YES, NO)


@pytest.mark.parametrize(
    "row",
    [
        {"system": "Be brief.", "question": "Tea?", "chosen": "Yes.", "rejected": "No."},
        {"system_prompt": "Be brief.", "prompt": "Tea?", "chosen": YES, "rejected": NO},
        {"system": "Be long.", "chosen": [SYSTEM, *YES], "rejected": [SYSTEM, *NO]},
    ],
)
def test_a_system_prompt_in_a_column_of_its_own_begins_both_dialogues(row: Json) -> None:
    assert row_pair({name: row[name] for name in columns_of("prefs", row)}) == ([SYSTEM, *YES], [SYSTEM, *NO])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": YES, "rejected": YES}, "equal answers"),
        ({"chosen": YES, "rejected": [user("Milk?"), assistant("No.")]}, "different prompts"),
        # one space in what the user said, and all from there on would count as the answer
        ({"chosen": [*YES, user("Milk?"), assistant("No.")], "rejected": [*YES, user("Milk? "), assistant("Oat.")]}, "answers of more than one message"),
        ({"chosen": [*YES, user("Milk?"), assistant("A")], "rejected": [*NO, user("Milk?"), assistant("B")]}, "answers of more than one message"),
        ({"chosen": YES, "rejected": [*YES, user("Milk?"), assistant("No.")]}, "answers of more than one message"),
        ({"chosen": "Yes.", "rejected": "No."}, "answers of text without a prompt"),
        ({"prompt": [user("Milk?")], "chosen": YES, "rejected": NO}, "a prompt that does not begin the answers"),
        ({"prompt": "Tea?", "chosen": None, "rejected": "No."}, "no list of messages"),
        ({"chosen": YES[1:], "rejected": NO[1:]}, "begins with an assistant turn"),
        ({"system": ["Be brief."], "chosen": YES, "rejected": NO}, "a system prompt that is no text"),
    ],
)
def test_a_pair_that_cannot_be_trained_on_has_a_reason(row: Json, reason: str) -> None:
    with pytest.raises(Unusable) as left_out:
        row_pair(row)
    assert str(left_out.value) == reason


def test_an_earlier_turn_that_differs_is_no_part_of_an_answer(lay: Lay, base: Path, tmp_path: Path) -> None:
    common = [user("Tea?"), assistant("Yes."), user("Milk?")]
    good = {"chosen": [*common, assistant("A drop.")], "rejected": [*common, assistant("No.")]}
    bad = {"chosen": good["chosen"], "rejected": [*common[:2], user("Milk? "), assistant("No.")]}
    write_rows(tmp_path / "train_prefs.jsonl", [good, bad])
    source = {**PREFS_DATA["sources"][0], "test": None}
    config = {**PREFS_DATA, "max_length": 128, "max_prompt_length": 96, "max_dropped": 0.5, "sources": [source]}
    job = finish(lay("prepare", config, {"tokenizer": base, "data0": tmp_path}))
    assert job.events("dropped")[0]["reasons"] == {"answers of more than one message": 1}
    [row] = parquet.read_table(job.out / "train.parquet").to_pylist()
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    assert tokenizer.decode(row["chosen_ids"]) == "A drop.</s>"
    assert tokenizer.decode(row["prompt_ids"]).count("<|user|>") == 2
