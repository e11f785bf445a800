"""Rows of our own in the layout and with the columns of the data sets that lm-eval reads; none is of a real benchmark.

The right answer of each ARC row is by far the longest, of words that the tests' tokenizer has as tokens; the wrong ones are a few
letters that it has none for. So a model that knows nothing gives the right one the least probability, and the most for each
character: acc is 0 and acc_norm 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

Json = dict[str, Any]
VALUE, LIST = "Value", "List"
WRONG = ["zxq", "vwk", "jqz", "xvy", "kzw", "qyx"]
RIGHT = "jumps over the lazy dog sort these numbers please"
SUBJECTS = ("anatomy", "astronomy")


def value(dtype: str) -> Json:
    return {"dtype": dtype, "_type": VALUE}


def items(dtype: str) -> Json:
    return {"feature": value(dtype), "_type": LIST}


def write(path: Path, rows: list[Json], features: Json) -> None:
    """With the features that `datasets` keeps in a Parquet file, so that a ClassLabel stays one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    parquet.write_table(table.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": features}}).encode()}), path)


def card(folder: Path, configs: dict[str, dict[str, str]]) -> None:
    lines = ["---", "configs:"]
    for name, splits in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        lines += [line for split, path in splits.items() for line in (f"  - split: {split}", f"    path: {path}")]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join([*lines, "---", "", "Made up for tests.", ""]))


def arc_row(number: int) -> Json:
    # real rows have labels 1 to 4 at times, and three to five choices
    labels = list("1234") if number % 4 == 1 else list("ABCDE") if number % 5 == 2 else list("ABC") if number % 7 == 3 else list("ABCD")
    right = number % len(labels)
    texts = [RIGHT if place == right else WRONG[(number + place) % len(WRONG)] for place in range(len(labels))]
    return {"id": f"made-{number}", "question": f"the fox number {number}", "choices": {"text": texts, "label": labels}, "answerKey": labels[right]}


def make_arc(folder: Path) -> Path:
    features = {"id": value("string"), "question": value("string"), "choices": {"text": items("string"), "label": items("string")}, "answerKey": value("string")}
    for split, first, count in (("train", 0, 30), ("validation", 30, 3), ("test", 40, 10)):
        write(folder / "ARC-Challenge" / f"{split}-00000-of-00001.parquet", [arc_row(first + each) for each in range(count)], features)
    card(folder, {"ARC-Challenge": {split: f"ARC-Challenge/{split}-*" for split in ("train", "validation", "test")}})
    return folder


def hellaswag_row(number: int, split: str) -> Json:
    endings = [f"sees the {word} stone.  It is{' [substeps]' if number % 2 else ''} {word}." for word in ("red", "green", "blue", "quick")]
    beginning = "[header] The fox [title] A river. [step] A dog sits"
    return {
        "ind": number, "activity_label": "Walking", "ctx_a": beginning, "ctx_b": "it", "ctx": f"{beginning} it", "endings": endings,
        "source_id": f"made-{number}", "split": split, "split_type": "indomain", "label": "" if split == "test" else str(number % 4),
    }  # fmt: skip


def make_hellaswag(folder: Path) -> Path:
    features = {name: value("string") for name in hellaswag_row(0, "train")} | {"ind": value("int32"), "endings": items("string")}
    for split, first, count in (("train", 0, 12), ("validation", 20, 6), ("test", 40, 2)):
        write(folder / "data" / f"{split}-00000-of-00001.parquet", [hellaswag_row(first + each, split) for each in range(count)], features)
    card(folder, {"default": {split: f"data/{split}-*" for split in ("train", "validation", "test")}})
    return folder


def mmlu_row(number: int, subject: str) -> Json:
    choices = [("red", "green", "blue", "seven")[(number + place) % 4] for place in range(4)]
    return {"question": f" What is the {subject} of stone {number}?", "subject": subject, "choices": choices, "answer": number % 4}


def make_mmlu(folder: Path) -> Path:
    features = {"question": value("string"), "subject": value("string"), "choices": items("string"), "answer": {"names": list("ABCD"), "_type": "ClassLabel"}}
    for place, subject in enumerate(SUBJECTS):
        # of unlike sizes, so that both means differ where a subject is known better
        for split, first, count in (("dev", 0, 5), ("validation", 5, 1), ("test", 10, 3 + 4 * place)):
            rows = [mmlu_row(100 * place + first + each, subject) for each in range(count)]
            write(folder / subject / f"{split}-00000-of-00001.parquet", rows, features)
    card(folder, {subject: {split: f"{subject}/{split}-*" for split in ("dev", "validation", "test")} for subject in SUBJECTS})
    return folder


def make_truthfulqa(folder: Path) -> Path:
    targets = {"choices": items("string"), "labels": items("int32")}

    def row(number: int) -> Json:
        choices = ["the stone stays", "nothing happens", *(f"the stone turns {word}" for word in ("red", "green", "blue")[: 1 + number % 3])]
        labels = [1, 1] + [0] * (len(choices) - 2)
        return {"question": f"What of stone {number}?", "mc1_targets": {"choices": choices, "labels": labels}, "mc2_targets": {"choices": choices, "labels": labels}}

    features = {"question": value("string"), "mc1_targets": targets, "mc2_targets": targets}
    write(folder / "multiple_choice" / "validation-00000-of-00001.parquet", [row(number) for number in range(4)], features)
    card(folder, {"multiple_choice": {"validation": "multiple_choice/validation-*"}})
    return folder


def make_ifeval(folder: Path) -> Path:
    rows = [
        (1, "Tell me of a stone. Use no commas.", ["punctuation:no_comma"], [{}]),
        (2, "Tell me of a fox in at least 99 sentences.", ["length_constraints:number_sentences"], [{"relation": "at least", "num_sentences": 99}]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [{"key": key, "prompt": prompt, "instruction_id_list": names, "kwargs": kwargs} for key, prompt, names, kwargs in rows]
    (folder / "ifeval_input_data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    card(folder, {"default": {"train": "ifeval_input_data.jsonl"}})
    return folder


def make_gsm8k(folder: Path) -> Path:
    def row(number: int) -> Json:
        return {"question": f"A fox has {number} stones and finds 2. How many?", "answer": f"It has {number}+2=<<{number}+2={number + 2}>>.\n#### {number + 2}"}

    for split, first, count in (("train", 0, 8), ("test", 20, 3)):
        write(folder / "main" / f"{split}-00000-of-00001.parquet", [row(first + each) for each in range(count)], {"question": value("string"), "answer": value("string")})
    card(folder, {"main": {split: f"main/{split}-*" for split in ("train", "test")}})
    return folder


def make_mmlu_pro(folder: Path) -> Path:
    def row(number: int, category: str) -> Json:
        return {
            "question_id": number, "question": f"What of stone {number}?", "options": ["red", "green", "blue", "seven", "quick"], "answer": "ABCDE"[number % 5],
            "answer_index": number % 5, "cot_content": f"A: Let's think step by step. The answer is ({'ABCDE'[number % 5]}).", "category": category, "src": "made",
        }  # fmt: skip

    features = {name: value("int64" if name in ("question_id", "answer_index") else "string") for name in row(0, "math")} | {"options": items("string")}
    for split, first, count in (("validation", 0, 5), ("test", 20, 2)):
        rows = [row(first + each, category) for category in ("law", "math") for each in range(count)]
        write(folder / "data" / f"{split}-00000-of-00001.parquet", rows, features)
    card(folder, {"default": {split: f"data/{split}-*" for split in ("validation", "test")}})
    return folder
