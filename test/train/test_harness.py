"""The program `harness` in its own environment: lm-eval itself, on rows of ours and models of a few thousand weights."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmark_rows
import lm_eval_jobs
import pytest
from conftest import JobFolder, Json, Lay

SMOKE: Json = {"template": "zephyr", "system": "empty", "batch_size": 8, "benchmarks": [{"name": "smoke-choice"}, {"name": "smoke-repeat"}]}
Run = Callable[[JobFolder], JobFolder]


@pytest.fixture(scope="session")
def start() -> Callable[[JobFolder], subprocess.Popen[str]]:
    return lm_eval_jobs.start


@pytest.fixture(scope="session")
def run() -> Run:
    return lm_eval_jobs.run


@pytest.fixture(scope="session")
def long_base(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with room for 25 examples: its positions are rotary, so that its weights need not know."""
    folder = tmp_path_factory.mktemp("long") / "base"
    shutil.copytree(base, folder)
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        members = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**members, key: 8192}))
    return folder


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rows")
    names = ("arc", "hellaswag", "mmlu", "truthfulqa", "ifeval", "gsm8k", "mmlu_pro")
    return {name: getattr(benchmark_rows, f"make_{name}")(folder / name) for name in names}


@pytest.fixture(scope="session")
def whole(lay: Lay, run: Run, long_base: Path, rows: dict[str, Path]) -> JobFolder:
    """All benchmarks in one call."""
    source = "hf://datasets/allenai/ai2_arc@" + "1" * 40
    benchmarks = [
        {"name": "arc-challenge", "data": "arc", "source": source}, {"name": "hellaswag", "data": "hellaswag"},
        {"name": "mmlu", "data": "mmlu", "subjects": list(benchmark_rows.SUBJECTS)}, {"name": "truthfulqa", "data": "truthfulqa"},
        {"name": "ifeval", "data": "ifeval"}, {"name": "gsm8k", "data": "gsm8k", "limit": 2},
        {"name": "mmlu-pro", "data": "mmlu_pro", "subjects": ["law", "math"], "limit": 1},
    ]  # fmt: skip
    return run(lay("harness", {**SMOKE, "benchmarks": benchmarks}, {"model": long_base, **rows}))


@pytest.fixture(scope="session")
def smoke(lay: Lay, run: Run, base: Path) -> JobFolder:
    return run(lay("harness", SMOKE, {"model": base}, save_steps=1))


def benchmarks_of(job: JobFolder) -> dict[str, Json]:
    return {each["name"]: each for each in json.loads((job.out / "benchmarks.json").read_text())["benchmarks"]}


def items_of(job: JobFolder, name: str) -> list[Json]:
    return [json.loads(line) for line in (job.out / "items" / f"{name}.jsonl").read_text().splitlines()]


def test_right_answers_that_are_longest_give_acc_0_and_acc_norm_1(whole: JobFolder) -> None:
    arc = benchmarks_of(whole)["arc-challenge"]
    assert (arc["value"], arc["figures"], arc["n"], arc["dropped"]) == (1.0, {"acc": 0.0}, 10, {})


def test_every_value_is_the_mean_of_its_items(whole: JobFolder) -> None:
    for name, found in benchmarks_of(whole).items():
        scores = [item["score"] for item in items_of(whole, name)]
        assert found["n"] == len(scores)
        assert found["value"] == pytest.approx(sum(scores) / len(scores), abs=1e-12)


def arc_prompts(rows: Path) -> list[tuple[str, list[str]]]:
    """As the harness makes them, made here once more: 25 examples a question, drawn from one seed."""
    import pyarrow.parquet as parquet

    train, test = (parquet.read_table(rows / "ARC-Challenge" / f"{split}-00000-of-00001.parquet").to_pylist() for split in ("train", "test"))
    draw = random.Random(1234)

    def asked(row: Json) -> str:
        return f"Question: {row['question']}\nAnswer:"

    def answered(row: Json) -> str:
        return f"{asked(row)} {row['choices']['text'][row['choices']['label'].index(row['answerKey'])]}\n\n"

    return [("".join(map(answered, draw.sample(train, 25))) + asked(row), [f" {text}" for text in row["choices"]["text"]]) for row in test]


def mmlu_prompts(rows: Path, subject: str) -> list[tuple[str, list[str]]]:
    import pyarrow.parquet as parquet

    dev, test = (parquet.read_table(rows / subject / f"{split}-00000-of-00001.parquet").to_pylist() for split in ("dev", "test"))

    def asked(row: Json) -> str:
        choices = "".join(f"{letter}. {choice}\n" for letter, choice in zip("ABCD", row["choices"], strict=True))
        return f"{row['question'].strip()}\n{choices}Answer:"

    begin = f"The following are multiple choice questions (with answers) about {subject}.\n\n"
    shots = "".join(f"{asked(row)} {'ABCD'[row['answer']]}\n\n" for row in dev)
    return [(begin + shots + asked(row), [f" {letter}" for letter in "ABCD"]) for row in test]


def logprobs(folder: Path, prompts: list[tuple[str, list[str]]]) -> list[list[float]]:
    """Sums over the tokens of each continuation, by transformers alone and one text at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval(), AutoTokenizer.from_pretrained(folder)

    def of(prompt: str, continuation: str) -> float:
        whole, start = tokenizer(prompt + continuation)["input_ids"], len(tokenizer(prompt)["input_ids"])
        with torch.inference_mode():
            found = model(torch.tensor([whole])).logits[0].float().log_softmax(-1)
        return float(sum(found[place - 1, whole[place]] for place in range(start, len(whole))))

    return [[of(prompt, continuation) for continuation in continuations] for prompt, continuations in prompts]


def test_log_probabilities_are_those_of_transformers_alone(whole: JobFolder, long_base: Path, rows: dict[str, Path]) -> None:
    prompts = arc_prompts(rows["arc"])
    found = items_of(whole, "arc-challenge")
    assert [item["prompt_sha256"] for item in found] == [hashlib.sha256(prompt.encode()).hexdigest() for prompt, _ in prompts]
    for item, expected, (_, choices) in zip(found, logprobs(long_base, prompts), prompts, strict=True):
        assert item["logprobs"] == pytest.approx(expected, abs=1e-4)
        shares = [logprob / (len(choice) - 1) for logprob, choice in zip(expected, choices, strict=True)]
        assert item["score"] == float(shares.index(max(shares)) == item["target"])


def test_subjects_are_weighed_by_size_and_alike(whole: JobFolder, long_base: Path, rows: dict[str, Path]) -> None:
    found, items = benchmarks_of(whole)["mmlu"], items_of(whole, "mmlu")
    prompts = [prompt for subject in benchmark_rows.SUBJECTS for prompt in mmlu_prompts(rows["mmlu"], subject)]
    assert [item["prompt_sha256"] for item in items] == [hashlib.sha256(prompt.encode()).hexdigest() for prompt, _ in prompts]
    for item, expected in zip(items, logprobs(long_base, prompts), strict=True):
        assert item["score"] == float(expected.index(max(expected)) == item["target"])
        assert item["cluster"] == item["group"] in benchmark_rows.SUBJECTS
    assert {subject: group["n"] for subject, group in found["groups"].items()} == {"anatomy": 3, "astronomy": 7}
    assert found["figures"]["mean of subjects"] == pytest.approx(sum(group["value"] for group in found["groups"].values()) / 2)


def test_mc2_is_the_share_of_the_true_answers(whole: JobFolder) -> None:
    import math

    for item in items_of(whole, "truthfulqa"):
        shares = [math.exp(logprob) for logprob in item["logprobs"]]
        assert item["score"] == pytest.approx(sum(shares[:2]) / sum(shares), abs=1e-9)


def test_protocol_names_all_that_decides_a_value(whole: JobFolder) -> None:
    found = benchmarks_of(whole)
    arc, ifeval, gsm8k = (found[name]["protocol"] for name in ("arc-challenge", "ifeval", "gsm8k"))
    assert arc["data"] == "hf://datasets/allenai/ai2_arc@" + "1" * 40
    assert (arc["harness"], arc["split"], arc["shots"], arc["shots_from"]) == ("lm-eval 0.4.13", "test", 25, "train, drawn with seed 1234")
    assert (arc["template"], arc["system"], arc["bos"]) == ("none", "none", "tokenizer")
    assert (ifeval["template"], ifeval["system"], ifeval["temperature"], ifeval["max_tokens"]) == ("zephyr", "empty", 0.0, 1280)
    assert (gsm8k["shots"], gsm8k["stop"][0], gsm8k["rows"]) == (5, "end of turn", 2)
    assert found["mmlu"]["protocol"]["shots_from"] == "dev, the first ones"
    assert len({each["protocol"]["prompts_sha256"] for each in found.values()}) == len(found)


def test_rows_that_do_not_fit_are_left_out_by_id(lay: Lay, run: Run, base: Path, rows: dict[str, Path]) -> None:
    benchmarks = [{"name": "smoke-choice"}, {"name": "arc-challenge", "data": "arc"}]
    job = run(lay("harness", {**SMOKE, "benchmarks": benchmarks}, {"model": base, "arc": rows["arc"]}))
    arc = benchmarks_of(job)["arc-challenge"]
    assert (arc["value"], arc["n"], arc["dropped"]) == (None, 0, {"longer than the context": 10})
    first = items_of(job, "arc-challenge")[0]
    assert first["id"] == "arc_challenge/0" and first["tokens"] > 256 and first["score"] is None
    assert "arc_challenge/0" in arc["notes"][0]
    assert "10 rows longer than the context of 256 tokens" in job.events("note")[-1]["message"]
    assert benchmarks_of(job)["smoke-choice"]["n"] == 24


def test_killed_it_goes_on_from_its_checkpoint(lay: Lay, start: Any, run: Run, smoke: JobFolder, base: Path) -> None:
    job = lay("harness", SMOKE, {"model": base}, save_steps=1)
    process = start(job)
    while not (saved := job.events("save")):
        assert process.poll() is None, job.log()[-2000:]
    process.kill()
    process.wait()
    assert not (job.folder / "result.json").exists()
    resumed = run(lay("harness", SMOKE, {"model": base}, checkpoint=job.folder / saved[-1]["path"]))
    assert resumed.events("progress")[0]["step"] == saved[-1]["step"] + 1
    assert resumed.digests() == smoke.digests()


def test_greedy_answers_obey_neither_the_checkpoint_nor_the_batch(
    lay: Lay, run: Run, smoke: JobFolder, base: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(base, model)
    members = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps({**members, "repetition_penalty": 5.0, "num_beams": 3, "do_sample": True}))
    alone = run(lay("harness", {**SMOKE, "batch_size": 1, "benchmarks": [{"name": "smoke-repeat"}]}, {"model": model}))
    assert [item["answer"] for item in items_of(alone, "smoke-repeat")] == [item["answer"] for item in items_of(smoke, "smoke-repeat")]


@pytest.mark.parametrize(
    ("benchmark", "code", "said"),
    [
        ({"name": "arc"}, 64, 'Cannot evaluate on "arc", expected one of arc-challenge'),
        ({"name": "arc-challenge", "data": "truthfulqa"}, 65, 'has no config "ARC-Challenge"'),
    ],
)
def test_refuses_what_it_cannot_score(lay: Lay, start: Any, base: Path, rows: dict[str, Path], benchmark: Json, code: int, said: str) -> None:
    job = lay("harness", {**SMOKE, "benchmarks": [benchmark]}, {"model": base, **rows})
    assert start(job).wait() == code, job.log()[-2000:]
    assert said in job.error()
