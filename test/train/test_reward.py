"""Rewards: those of the model itself, the same however the answers are batched and however often the job is stopped."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import JobFolder, Json, Lay, finish, in_fork
from interrupting import interrupt

REWARD: Json = {"batch_size": 4, "max_length": 120}


@pytest.fixture(scope="module")
def model(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base model with a reward head, random but the same each time."""
    folder = tmp_path_factory.mktemp("reward-model")
    assert in_fork(make_model, str(base), str(folder)) == 0
    return folder


def make_model(base: str, folder: str, labels: int = 1) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(3)
    AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels, dtype=torch.float32).save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(base).save_pretrained(folder)


@pytest.fixture(scope="module")
def completions(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two answers to each prompt of the world; one is far too long, one is empty, one is missing."""
    import pyarrow
    import pyarrow.parquet as parquet

    prompts = [json.loads(line) for line in (world / "prompts.jsonl").read_text().splitlines()]
    rows = [
        {"completion_id": f"{row['prompt_id']}/{n}", "prompt": row["prompt"], "text": text, "flags": []}
        for row in prompts
        for n, text in enumerate((row["prompt"][::-1], "Seven stones."))
    ]
    rows[5] |= {"text": "river " * 400}
    rows[8] |= {"text": "", "flags": ["empty"]}
    rows[9] |= {"text": "", "flags": ["missing"]}
    folder = tmp_path_factory.mktemp("completions")
    (folder / "completions").mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "completions" / "train-00000-of-00001.parquet")
    return folder


@pytest.fixture(scope="module")
def rewards(lay: Lay, model: Path, completions: Path) -> JobFolder:
    return finish(lay("reward", REWARD, {"model": model, "completions": completions}))


def lines_of(job: JobFolder) -> list[Json]:
    return [json.loads(line) for line in (job.out / "rewards.jsonl").read_text().splitlines()]


def test_every_answer_that_says_something_has_a_line_and_one_that_is_too_long_no_reward(rewards: JobFolder) -> None:
    lines = lines_of(rewards)
    assert len(lines) == 50 and lines == sorted(lines, key=lambda line: line["completion_id"])
    assert [line["completion_id"] for line in lines if line["reward"] is None] == ["p02/1"]
    assert len({line["reward"] for line in lines}) > 40
    metrics = rewards.result()["metrics"]
    assert metrics["rewards"] == 49 and metrics["too_long"] == 1 and metrics["lowest"] <= metrics["mean"] <= metrics["highest"]


def test_a_reward_is_what_the_model_gives_to_prompt_and_answer_alone(model: Path, completions: Path, rewards: JobFolder) -> None:
    assert in_fork(compare, str(model), str(completions), lines_of(rewards)) == 0


def compare(model: str, completions: str, lines: list[dict[str, Any]]) -> None:
    import pyarrow.parquet as parquet
    import torch
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    judge = AutoModelForSequenceClassification.from_pretrained(model).eval()
    rows = {row["completion_id"]: row for row in parquet.read_table(f"{completions}/completions").to_pylist()}
    for line in [line for line in lines if line["reward"] is not None][::5]:
        row = rows[line["completion_id"]]
        turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["text"]}]
        ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"]
        assert line["tokens"] == len(ids)
        with torch.no_grad():
            # the last token, with which the turn is closed, is where the reward is read
            hidden = judge.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
            assert line["reward"] == pytest.approx(judge.score(hidden).item(), abs=1e-5)


def test_batches_of_another_size_give_the_same_rewards(lay: Lay, model: Path, completions: Path, rewards: JobFolder) -> None:
    alone = finish(lay("reward", {**REWARD, "batch_size": 1}, {"model": model, "completions": completions}))
    for one, other in zip(lines_of(alone), lines_of(rewards), strict=True):
        assert one == {**other, "reward": pytest.approx(other["reward"], abs=1e-5)} or other["reward"] is None


def test_a_stopped_job_goes_on_to_the_same_rewards(lay: Lay, model: Path, completions: Path, rewards: JobFolder) -> None:
    inputs = {"model": model, "completions": completions}
    job = lay("reward", REWARD, inputs, save_steps=1000)
    process = job.start(hold=("progress", 2))
    job.wait_for(lambda event: event["type"] == "progress" and event["step"] == 2, process)
    os.kill(process.pid, signal.SIGTERM)
    job.go()
    process.join()
    assert process.exitcode == 75
    [save] = job.events("save")
    again = finish(lay("reward", REWARD, inputs, checkpoint=job.folder / save["path"]))
    assert [event["step"] for event in again.events("progress")] == list(range(save["step"] + 1, 14))
    assert again.digests() == rewards.digests()


def test_a_killed_job_goes_on_from_its_last_checkpoint(lay: Lay, model: Path, completions: Path, rewards: JobFolder) -> None:
    inputs = {"model": model, "completions": completions}
    job = lay("reward", REWARD, inputs, save_steps=1)
    checkpoint, _ = interrupt(job, signal.SIGKILL, 3)
    again = finish(lay("reward", REWARD, inputs, checkpoint=checkpoint))
    assert again.digests() == rewards.digests()


def test_a_model_without_a_trained_head_is_refused(lay: Lay, base: Path, completions: Path) -> None:
    job = lay("reward", REWARD, {"model": base, "completions": completions})
    assert job.run() == 65
    assert "expected weights of a reward head: score.weight missing" in job.error()


def test_a_model_with_several_labels_is_refused(lay: Lay, base: Path, completions: Path, tmp_path: Path) -> None:
    assert in_fork(make_model, str(base), str(tmp_path), 3) == 0
    job = lay("reward", REWARD, {"model": tmp_path, "completions": completions})
    assert job.run() == 65
    assert "expected one label, got 3" in job.error()


def test_weights_that_are_a_pickle_are_refused(lay: Lay, model: Path, completions: Path, tmp_path: Path) -> None:
    for path in model.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    job = lay("reward", REWARD, {"model": tmp_path, "completions": completions})
    assert job.run() == 65
    assert "Cannot load the reward model" in job.error()
