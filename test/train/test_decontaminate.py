"""Code problems kept out of training, as alignment-handbook v0.3 kept HumanEval out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import PREFS_DATA, SCRIPTS, SFT_DATA, JobFolder, Json, Lay, assistant, finish, user, write_rows

sys.path.insert(0, str(SCRIPTS))
from exits import JobError
from filters import code_of_problem

# two problems in the layout of openai_humaneval, in words of our own
PROBLEMS = [
    {
        "task_id": "Ours/0", "entry_point": "thrice",
        "prompt": 'def thrice(n):\n    """ Three times a Number,\n    not less\n    >>> thrice(2)\n    6\n    """\n',
        "canonical_solution": "    total = n + n\n    return total + n\n",
    },
    {"task_id": "Ours/1", "entry_point": "add", "prompt": "def add(x, y):\n    ''' Sum of the two at hand '''\n", "canonical_solution": "    return x + y\n"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "solution", "pieces"),
    [
        (PROBLEMS[0]["prompt"], PROBLEMS[0]["canonical_solution"], ["three times a number, not less >>> thrice(2) 6", "total = n + n return total + n"]),
        # a solution that anybody might write is let pass
        (PROBLEMS[1]["prompt"], PROBLEMS[1]["canonical_solution"], ["sum of the two at hand"]),
        # of two functions the last one is asked for
        ('def a():\n  """ First """\ndef b():\n  """ Second """\n', "pass  \n", ["second", "pass"]),
        ('def a():\n  """ """\n', "\n", []),
    ],
)  # fmt: skip
def test_a_problem_is_looked_for_by_its_docstring_and_its_solution(prompt: str, solution: str, pieces: list[str]) -> None:
    assert code_of_problem(prompt, solution) == pieces


@pytest.mark.parametrize(("prompt", "solution"), [("def f(): pass", "x"), ('"""a""" """b""" """c"""', "x"), ('""" a """', None), (None, "x")])
def test_a_problem_without_a_docstring_or_a_solution_is_refused(prompt: str, solution: str) -> None:
    with pytest.raises(JobError, match='Cannot read a problem from the dataset "decontaminate": expected a solution and a prompt with one docstring'):
        code_of_problem(prompt, solution)


def decontaminated(lay: Lay, base: Path, folder: Path, config: Json) -> tuple[JobFolder, Json]:
    write_rows(folder / "benchmark" / "test.jsonl", PROBLEMS)
    config = {**config, "max_length": 128, "sources": [{**config["sources"][0], "rows": None}]}
    inputs = {"tokenizer": base, "data0": folder / "data", "decontaminate": folder / "benchmark"}
    job = finish(lay("prepare", config, inputs))
    return job, json.loads((job.out / "report.json").read_text())["splits"]


def dialogue(question: str, answer: str) -> Json:
    return {"messages": [user(question), assistant(answer)]}


def test_a_dialogue_that_holds_a_piece_of_a_problem_is_in_neither_split(lay: Lay, base: Path, tmp_path: Path) -> None:
    rows = [
        dialogue("Please THREE times a\nnumber, not   less\n\n>>> thrice(2) 6, in Python", "Gladly."),
        # no border of words is looked for
        dialogue("How?", "grandtotal = n + n\n\treturn total + n1"),
        dialogue("Three times a number, not less", "def add(x, y):\n    return x + y"),
        dialogue("Tea?", "Yes."),
    ]
    write_rows(tmp_path / "data" / "train_sft.jsonl", rows)
    write_rows(tmp_path / "data" / "test_sft.jsonl", rows[1:])
    _, splits = decontaminated(lay, base, tmp_path, {**SFT_DATA, "packing": False})
    assert (splits["train"]["dropped"], splits["train"]["kept"]) == ({"contaminated": 2}, 2)
    assert (splits["test"]["dropped"], splits["test"]["kept"]) == ({"contaminated": 1}, 2)


def test_of_a_pair_the_better_answer_counts_alone(lay: Lay, base: Path, tmp_path: Path) -> None:
    code = "total = n + n\nreturn total + n"
    pairs = [
        {"prompt": "How?", "chosen": code, "rejected": "No."},
        {"prompt": "How?", "chosen": "Yes.", "rejected": code},
        {"prompt": code, "chosen": "Yes.", "rejected": "No."},
    ]
    write_rows(tmp_path / "data" / "train_prefs.jsonl", pairs)
    write_rows(tmp_path / "data" / "test_prefs.jsonl", pairs[:2])
    _, splits = decontaminated(lay, base, tmp_path, PREFS_DATA)
    assert (splits["train"]["dropped"], splits["train"]["kept"]) == ({"contaminated": 1}, 2)
    assert (splits["test"]["dropped"], splits["test"]["kept"]) == ({"contaminated": 1}, 1)
