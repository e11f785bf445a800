"""A model answers: the same however often a job is stopped and whatever lies beside a prompt, by the prompt's own settings."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import GENERATE, SCRIPTS, JobFolder, Json, Lay, assistant, finish, user, write_rows
from interrupting import interrupt

sys.path.insert(0, str(SCRIPTS))


@pytest.fixture(scope="module")
def answers(lay: Lay, dsft: JobFolder, world: Path) -> JobFolder:
    return finish(lay("generate", GENERATE, {"model": dsft.out, "prompts": world}))


def test_every_prompt_is_answered_as_often_as_asked(answers: JobFolder) -> None:
    records = [json.loads(line) for line in (answers.out / "completions.jsonl").read_text().splitlines()]
    assert [(record["prompt_id"], record["sample"]) for record in records] == [(f"p{i:02}", sample) for i in range(26) for sample in (0, 1)]
    assert {record["finish_reason"] for record in records} <= {"stop", "length"}
    assert all(record["tokens"] == 12 for record in records if record["finish_reason"] == "length")
    assert "</s>" not in (answers.out / "completions.jsonl").read_text()
    drawn = {(record["prompt_id"], record["text"]) for record in records}
    assert len(drawn) > 40, "two samples of a prompt are two draws"


def test_a_stopped_generation_goes_on_to_the_same_answers(lay: Lay, dsft: JobFolder, world: Path, answers: JobFolder) -> None:
    inputs = {"model": dsft.out, "prompts": world}
    job = lay("generate", GENERATE, inputs, save_steps=1000)
    process = job.start(hold=("progress", 2))
    job.wait_for(lambda event: event["type"] == "progress" and event["step"] == 2, process)
    os.kill(process.pid, signal.SIGTERM)
    job.go()
    process.join()
    assert process.exitcode == 75
    [save] = job.events("save")
    assert 2 <= save["step"] < 7
    again = finish(lay("generate", GENERATE, inputs, checkpoint=job.folder / save["path"]))
    assert [event["step"] for event in again.events("progress")] == list(range(save["step"] + 1, 8))
    assert again.digests() == answers.digests()


def test_a_killed_generation_goes_on_from_its_last_checkpoint(lay: Lay, dsft: JobFolder, world: Path, answers: JobFolder) -> None:
    inputs = {"model": dsft.out, "prompts": world}
    job = lay("generate", GENERATE, inputs, save_steps=1)
    checkpoint, _ = interrupt(job, signal.SIGKILL, 3)
    again = finish(lay("generate", GENERATE, inputs, checkpoint=checkpoint))
    assert again.digests() == answers.digests()


def test_greedy_answers_are_those_of_each_prompt_alone(lay: Lay, dsft: JobFolder, world: Path) -> None:
    greedy = {**GENERATE, "temperature": 0, "samples": 1}
    together = finish(lay("generate", {**greedy, "batch_size": 13}, {"model": dsft.out, "prompts": world}))
    alone = finish(lay("generate", {**greedy, "batch_size": 1}, {"model": dsft.out, "prompts": world}))
    # padding on the left moves no position and hides behind the mask
    assert together.digests() == alone.digests()


def test_sampled_answers_are_those_of_each_prompt_alone_too(lay: Lay, dsft: JobFolder, world: Path, tmp_path: Path) -> None:
    lines = (world / "prompts.jsonl").read_text().splitlines()
    (tmp_path / "some.jsonl").write_text("".join(f"{line}\n" for line in lines[::2]))
    inputs = {"model": dsft.out, "prompts": tmp_path}
    some = finish(lay("generate", {**GENERATE, "batch_size": 3, "prompts_file": "some.jsonl"}, inputs))
    both = finish(lay("generate", {**GENERATE, "batch_size": 13}, {"model": dsft.out, "prompts": world}))
    few, many = ((job.out / "completions.jsonl").read_text().splitlines() for job in (some, both))
    # so that more prompts change no answer that somebody has paid to have judged
    assert len(few) == 26 and set(few) <= set(many)


def test_messages_are_asked_as_they_are_and_a_file_that_is_not_there_is_named(lay: Lay, dsft: JobFolder, tmp_path: Path) -> None:
    greedy = {**GENERATE, "temperature": 0, "samples": 1, "prompts_file": "answers-1.jsonl"}
    inputs = {"model": dsft.out, "prompts": tmp_path}
    job = lay("generate", greedy, inputs)
    assert job.run() == 65
    assert 'expected "answers-1.jsonl" in the input "prompts"' in job.error()
    turns = [{"role": "system", "content": "Be honest and say so plainly."}, {"role": "user", "content": "sort these numbers"}]
    rows = [{"prompt_id": "with", "messages": turns}, {"prompt_id": "without", "messages": turns[1:]}]
    (tmp_path / "answers-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = finish(lay("generate", greedy, inputs)).out / "completions.jsonl"
    texts = [json.loads(line)["text"] for line in answers.read_text().splitlines()]
    assert texts[0] != texts[1]


def ask(lay: Lay, model: Path, folder: Path, rows: list[Json], **config: Any) -> JobFolder:
    folder.mkdir(exist_ok=True)
    write_rows(folder / "prompts.jsonl", rows)
    return lay("generate", {**GENERATE, "samples": 1, "max_new_tokens": 24, **config}, {"model": model, "prompts": folder})


def told(job: JobFolder) -> dict[tuple[str, int], Json]:
    """Records by prompt and turn."""
    records = [json.loads(line) for line in (finish(job).out / "completions.jsonl").read_text().splitlines()]
    return {(record["prompt_id"], record.get("turn", 1)): record for record in records}


def test_each_prompt_is_answered_at_its_own_temperature_by_its_own_seed(lay: Lay, dsft: JobFolder, world: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (world / "prompts.jsonl").read_text().splitlines()][:8]
    own = [{**row, "temperature": temperature} for row, temperature in zip(rows, [0, 1e-5, 0.7, 1.0] * 2, strict=True)]
    mixed = told(ask(lay, dsft.out, tmp_path, own, temperature=0.3))
    one_by_one = told(ask(lay, dsft.out, tmp_path, own, temperature=0.3, batch_size=1))
    assert mixed == one_by_one
    other_seed = told(ask(lay, dsft.out, tmp_path, own, temperature=0.3, seed=GENERATE["seed"] + 1))
    greedy = told(ask(lay, dsft.out, tmp_path, rows, temperature=0))
    cold, warm = [row["prompt_id"] for row in own[:2] + own[4:6]], [row["prompt_id"] for row in own[2:4] + own[6:]]
    for prompt_id in cold:
        assert mixed[prompt_id, 1] == other_seed[prompt_id, 1] == greedy[prompt_id, 1]
    assert any(mixed[prompt_id, 1] != greedy[prompt_id, 1] for prompt_id in warm)
    assert any(mixed[prompt_id, 1] != other_seed[prompt_id, 1] for prompt_id in warm)
    # what a row says nothing of is the job's
    assert told(ask(lay, dsft.out, tmp_path, [{**row, "temperature": 0} for row in rows])) == greedy
    for wrong in (-1, "hot", True):
        job = ask(lay, dsft.out, tmp_path, [{**rows[0], "temperature": wrong}])
        assert job.run() == 65
        assert f'prompt "p00" at temperature {json.dumps(wrong)}, expected 0 or more' in job.error()


def test_the_defaults_of_the_model_decide_nothing(lay: Lay, dsft: JobFolder, world: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (world / "prompts.jsonl").read_text().splitlines()][:6]
    plain = told(ask(lay, dsft.out, tmp_path / "rows", rows, temperature=0))
    defaults = {"do_sample": True, "temperature": 2.0, "repetition_penalty": 3.0, "max_new_tokens": 2, "num_beams": 2, "suppress_tokens": [5, 6, 7]}
    shutil.copytree(dsft.out, tmp_path / "model")
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps(defaults))
    assert told(ask(lay, tmp_path / "model", tmp_path / "rows", rows, temperature=0)) == plain


def test_a_prompt_over_the_context_is_named_and_an_answer_fits_in_it(lay: Lay, dsft: JobFolder, tmp_path: Path) -> None:
    context = json.loads((dsft.out / "config.json").read_text())["max_position_embeddings"]
    tokens = lambda words: len(render_alone(dsft.out, {"prompt": " ".join(["red"] * words)}))  # noqa: E731
    most = next(words for words in range(context) if tokens(words + 1) > context - 3)
    left = context - tokens(most)
    rows = [{"prompt_id": name, "prompt": " ".join(["red"] * words)} for name, words in (("fits", most), ("long", context), ("short", 2))]
    job = ask(lay, dsft.out, tmp_path, rows)
    assert job.run() == 65
    assert f"in a context of {context} tokens, expected shorter ones: long ({tokens(context)} tokens)" in job.error()
    marked = ask(lay, dsft.out, tmp_path, [{**row, "followups": ["green"]} for row in rows], too_long="mark", max_new_tokens=2000)
    records = told(marked)
    assert {**records["long", 1], "turn": 0} == {"prompt_id": "long", "sample": 0, "turn": 0, "text": "", "finish_reason": "too_long", "tokens": 0}
    assert records["long", 2]["finish_reason"] == "too_long"
    assert 0 < left <= 4 and records["fits", 1]["tokens"] <= left
    assert records["fits", 2]["finish_reason"] == "too_long", "nothing is cut to make room for a second turn"
    assert records["short", 1]["tokens"] <= context - tokens(2)
    assert marked.result()["metrics"]["too_long"] == sum(record["finish_reason"] == "too_long" for record in records.values())
    turns = ask(lay, dsft.out, tmp_path, [{**rows[0], "followups": ["green"]}], max_new_tokens=2000)
    assert turns.run() == 65
    assert "fits, turn 2 (" in turns.error()


def render_alone(model: Path, row: Json) -> list[int]:
    from chat_tokenizer import use_template
    from generate import read_prompt
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    use_template(tokenizer, GENERATE["template"], "keep")
    return read_prompt({"prompt_id": "it", **row}, tokenizer, GENERATE["system"]).ids


def test_what_the_user_says_next_is_asked_after_the_models_own_answer(lay: Lay, dsft: JobFolder, world: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (world / "prompts.jsonl").read_text().splitlines()][:5]
    talks = [{**row, "followups": ["And now reverse it.", "Please sort these."][: index % 3]} for index, row in enumerate(rows)]
    records = told(ask(lay, dsft.out, tmp_path, talks, temperature=0.7, batch_size=2, max_new_tokens=10))
    assert sorted(records) == sorted((row["prompt_id"], turn) for index, row in enumerate(rows) for turn in range(1, index % 3 + 2))
    first = told(ask(lay, dsft.out, tmp_path, rows, temperature=0.7, max_new_tokens=10))
    assert all(records[row["prompt_id"], 1]["text"] == first[row["prompt_id"], 1]["text"] for row in rows)
    # greedy, so that the same turns given as messages are answered the same
    cold = told(ask(lay, dsft.out, tmp_path, talks, temperature=0, max_new_tokens=10))
    given = [user(rows[1]["prompt"]), assistant(cold["p01", 1]["text"]), user("And now reverse it.")]
    [answer] = told(ask(lay, dsft.out, tmp_path, [{"prompt_id": "given", "messages": given}], temperature=0, max_new_tokens=10)).values()
    assert answer["text"] == cold["p01", 2]["text"]
    wrong = ask(lay, dsft.out, tmp_path, [{**rows[0], "followups": "And now?"}])
    assert wrong.run() == 65
    assert 'the followups of prompt "p00", expected a list' in wrong.error()


def test_an_engine_that_is_not_there_is_named(lay: Lay, dsft: JobFolder, world: Path) -> None:
    job = lay("generate", {**GENERATE, "engine": "vllm"}, {"model": dsft.out, "prompts": world})
    assert job.run() == 64
    assert 'Cannot use the engine "vllm"' in job.error()
