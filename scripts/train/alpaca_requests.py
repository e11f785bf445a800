"""What a judge of AlpacaEval is asked: each answer beside the baseline's, in the prompts and the order of the package."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from alpaca_pairs import INSTRUCTIONS, PROTOCOLS, REQUESTS, Version, annotator_of, as_shown, read_list
from exits import BAD_DATA, JobError
from job import Job
from json_lines import read_json_lines, write_json_lines
from run_job import run

ENVIRONMENT = "alpaca-eval"
Json = dict[str, Any]
PLACE = re.compile(r"\{(instruction|output_1|output_2)\}")


@dataclasses.dataclass(frozen=True)
class Rejudged:
    """A model whose public answers are judged beside ours."""

    model: str
    # the input and the file in it that hold them, a list of {instruction, output} as the package has it
    input: str
    file: str


@dataclasses.dataclass(frozen=True)
class Config:
    versions: list[Version]
    rejudge: list[Rejudged]


def main(job: Job, config: Config) -> None:
    prompts = [row for _, row in read_json_lines(job.input("prompts") / "prompts.jsonl")]
    answers = {"": own_answers(job)} | {each.model: public_answers(job, each) for each in config.rejudge}
    rows = []
    for version in config.versions:
        file = PROTOCOLS[version].baseline
        baseline = {row["instruction"]: row for row in read_list(job.input("data") / file, "AlpacaEval's data")}
        missing = next((row["prompt"] for row in prompts if row["prompt"] not in baseline), None)
        if missing is not None:
            raise JobError(f'Cannot compare with "{file}": it has no answer to "{missing[:60]}", which "{INSTRUCTIONS}" asks', BAD_DATA)
        for model, given in answers.items():
            rows += pairs(version, model, prompts, baseline, given)
    write_json_lines(job.out / REQUESTS, rows)
    asked = sum(row["messages"] is not None for row in rows)
    (job.out / "README.md").write_text(CARD, encoding="utf-8")
    job.finish(1, 1, {"pairs": len(rows), "asked": asked})


CARD = f"""---
configs:
- config_name: default
  data_files:
  - split: test
    path: {REQUESTS}
license: cc-by-nc-4.0
---
# AlpacaEval requests

Pairs of answers and what a judge is asked about them. Instructions and baseline answers are of AlpacaEval
(tatsu-lab/alpaca_eval, CC BY-NC 4.0: not for commercial use).
"""


def own_answers(job: Job) -> dict[str, Json]:
    """By prompt id: the answer of the model that is evaluated, and why there is none."""
    found: dict[str, Json] = {}
    for _, row in read_json_lines(job.input("answers") / "completions.jsonl"):
        if row["sample"] == 0:
            too_long = row["finish_reason"] == "too_long"
            why = {"dropped": "prompt too long for the model"} if too_long else {}
            found[row["prompt_id"]] = {"output": row["text"], "ended": row["finish_reason"] == "stop", **why}
    return found


def public_answers(job: Job, other: Rejudged) -> dict[str, Json]:
    """By instruction: what a model answered in public."""
    called = f'the answers of "{other.model}"'
    rows = read_list(job.input(other.input) / other.file, called)
    if not all(isinstance(row.get("instruction"), str) and isinstance(row.get("output"), str) for row in rows):
        raise JobError(f'Cannot read "{other.file}" of {called}, expected an instruction and an output in each row', BAD_DATA)
    return {row["instruction"]: {"output": row["output"]} for row in rows}


def pairs(version: Version, model: str, prompts: list[Json], baseline: dict[str, Json], given: dict[str, Json]) -> list[Json]:
    """A row for each instruction: the baseline's answer is output_1, `messages` is null where no judge need be asked."""
    from alpaca_eval.utils import prompt_to_chatml

    rows = []
    for prompt in prompts:
        first = baseline[prompt["prompt"]]
        answer = given.get(prompt["prompt"] if model else prompt["prompt_id"])
        rows.append({
            "id": prompt["prompt_id"], "version": version, "model": model, "set": prompt["set"], "instruction": prompt["prompt"],
            "output_1": first["output"], "generator_1": first["generator"], "messages": None,
            **({"output_2": "", "dropped": "no answer of the model"} if answer is None else {"output_2": answer["output"]}),
            **{key: value for key, value in (answer or {}).items() if key != "output"},
        })  # fmt: skip
    annotator = annotator_of(version)
    # filled in message by message, so that no text in an answer ends a message or begins one
    template = prompt_to_chatml(annotator.prompt_template)
    for row, shown in zip(rows, as_shown(annotator, rows).to_dict("records"), strict=True):
        # the package counts equal answers as a draw unasked
        if "dropped" not in row and row["output_1"] != row["output_2"]:
            row["messages"] = [{"role": each["role"], "content": fill(each["content"], shown)} for each in template]
    return rows


def fill(template: str, values: Json) -> str:
    """All places in one pass: the package fills one after the other, so that a place in an instruction would take the answer."""
    return PLACE.sub(lambda place: str(values[place[1]]), template)


if __name__ == "__main__":
    run("alpaca_requests", Config, main)
