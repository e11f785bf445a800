"""Answers to IFBench, checked: whether each of them follows all that its prompt asks for. No model runs."""

from __future__ import annotations

import dataclasses
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from exits import BAD_DATA, JobError
from ifbench_checks import Checks, Instruction
from job import Job
from json_lines import read_json_lines
from run_job import run
from scored_folder import TOO_LONG, Json, digest, flat, mean, some_ids, write_scored_folder

ENVIRONMENT = "lm-eval"


@dataclasses.dataclass(frozen=True)
class Config:
    # what decides the answers: data, template, temperature and so on, by name
    protocol: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Asked:
    id: str
    prompt: str
    instructions: list[Instruction]


def main(job: Job, config: Config) -> None:
    checks = Checks()
    asked = read_asked(job.input("prompts"))
    for row in asked:
        checks.refuse_unknown(row.id, row.instructions)
    answers = read_answers(job.input("answers"))
    job.emit("data", rows=len(asked), batches=len(asked))
    items = [scored(row, answers, checks) for row in asked]
    values = write_scored_folder(job, [(benchmark(config, checks, asked, items), items)])
    job.finish(len(asked), len(asked), values)


def read_asked(folder: Path) -> list[Asked]:
    return [
        Asked(
            row["prompt_id"],
            row["prompt"],
            [Instruction(name, arguments) for name, arguments in zip(row["instruction_id_list"], row["kwargs"], strict=True)],
        )
        for _, row in read_json_lines(folder / "prompts.jsonl")
    ]


def read_answers(folder: Path) -> dict[str, Json]:
    return {row["prompt_id"]: row for _, row in read_json_lines(folder / "completions.jsonl")}


def scored(row: Asked, answers: dict[str, Json], checks: Checks) -> Json:
    """1 where the answer follows every instruction to the letter, else 0; null, with the reason, where that cannot be told."""
    answer = answers.get(row.id)
    if answer is None:
        raise JobError(f'Cannot score the answers: there is none to prompt "{row.id}"', BAD_DATA)
    item: Json = {"id": row.id, "cluster": row.id, "instructions": [each.name for each in row.instructions]}
    if answer["finish_reason"] == "too_long":
        return {**item, "score": None, "dropped": TOO_LONG}
    item |= {"prompt": row.prompt, "answer": answer["text"], "tokens": answer["tokens"], "ended": answer["finish_reason"] == "stop"}
    missing = next((each.name for each in row.instructions if each.name in checks.missing), None)
    if missing is not None:
        return {**item, "score": None, "dropped": f"{missing} needs {checks.missing[missing]}"}
    followed = checks.check(row.instructions, row.prompt, answer["text"])
    figures = {
        "prompt, loose": all(followed.loose),
        "instruction, strict": followed.strict,
        "instruction, loose": followed.loose,
    }
    said = {"failed_checks": followed.failed} if followed.failed else {}
    return {**item, "score": float(all(followed.strict)), "strict": followed.strict, "loose": followed.loose, **said, "figures": figures}


def benchmark(config: Config, checks: Checks, asked: list[Asked], items: list[Json]) -> Json:
    kept = [item for item in items if item["score"] is not None]
    names = ("prompt, loose", "instruction, strict", "instruction, loose")
    return {
        "name": "ifbench", "title": "IFBench", "metric": "prompt, strict", "scale": [0, 1], "standardError": None,
        "value": mean(item["score"] for item in kept), "n": len(kept), "dropped": dropped(items), "groups": {},
        "figures": {name: mean(flat(item["figures"][name] for item in kept)) for name in names},
        "protocol": {
            **config.protocol,
            "harness": f"if-verifiable {metadata.version('if-verifiable')}",
            "nltk": metadata.version("nltk"),
            "unchecked": sorted(checks.missing),
            "rows": len(asked),
            "rows_sha256": digest(digest_of(row) for row in asked),
        },
        "notes": notes(items),
    }  # fmt: skip


def dropped(items: list[Json]) -> dict[str, int]:
    reasons = [item["dropped"] for item in items if item["score"] is None]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def digest_of(row: Asked) -> str:
    """Of prompt, instructions and arguments: another number anywhere is another benchmark."""
    return hashlib.sha256(repr([row.id, row.prompt, [(each.name, sorted(each.arguments.items())) for each in row.instructions]]).encode()).hexdigest()


def notes(items: list[Json]) -> list[str]:
    found = []
    for reason, count in dropped(items).items():
        ids = some_ids([item for item in items if item.get("dropped") == reason])
        found.append(f"{count} of {len(items)} prompts do not count ({reason}): {ids}.")
    failed = [item for item in items if "failed_checks" in item]
    if failed:
        found.append(f"A check failed on {len(failed)} of {len(items)} answers, counted as not following: {some_ids(failed)}.")
    return found


if __name__ == "__main__":
    run("ifbench_score", Config, main)
