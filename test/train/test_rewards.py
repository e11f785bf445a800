"""Learning from rewards: a reward model of pairs, then reinforcement learning from it; each resumed, each held to silent faults."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest
from conftest import DSFT, ENVIRONMENT, LORA, PREFS_DATA, SFT_DATA, TRAINING, JobFolder, Json, Lay, assistant, finish, user, write_rows
from interrupting import interrupt
from ranks import largest_difference, lay_ranks, run_ranks, steps_of

REWARD: Json = {**TRAINING, "learning_rate": 3e-3, "epochs": 2, "global_batch": 8}
# one pass is 12 steps: the second begins before the run is killed
RLOO: Json = {**TRAINING, "learning_rate": 1.5e-3, "beta": 0.05, "generations": 4, "max_new_tokens": 16, "temperature": 1.0, "global_batch": 32, "epochs": 2}
PPO: Json = {**{name: value for name, value in RLOO.items() if name != "generations"}, "max_steps": 9}
WIDE = {"micro_batch": 8}
WIDER = {"micro_batch": 16, "accumulation": 2}


@pytest.fixture(scope="module")
def taste(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs in which the better answer is always the one that ends with a river, and the same answers as dialogues."""
    folder, draw = tmp_path_factory.mktemp("taste"), random.Random(1)
    for split, count in (("prefs", 96), ("test_prefs", 16)):
        pairs, dialogues = [], []
        for place in range(count):
            prompt = user(" ".join(draw.choice(["seven", "apple", "stone", "quick"]) for _ in range(draw.randint(3, 6))))
            chosen, rejected = ([prompt, assistant(f"{draw.choice(['brown', 'lazy'])} {word}")] for word in ("river", "fox"))
            pairs.append({"prompt_id": f"{split}-{place}", "prompt": prompt["content"], "chosen": chosen, "rejected": rejected})
            dialogues += [{"prompt_id": f"{split}-{place}-{side}", "messages": turns} for side, turns in enumerate((chosen, rejected))]
        name = split.removeprefix("test_")
        role = "test" if split.startswith("test_") else "train"
        write_rows(folder / "data" / f"{role}_{name}.jsonl", pairs)
        write_rows(folder / "data" / f"{role}_sft.jsonl", dialogues)
    return folder


@pytest.fixture(scope="module")
def pairs(lay: Lay, taste: Path, base: Path) -> Path:
    return finish(lay("prepare", PREFS_DATA, {"tokenizer": base, "data0": taste})).out


@pytest.fixture(scope="module")
def speaker(lay: Lay, taste: Path, base: Path) -> Path:
    """A model that says either answer, and ends it."""
    source = {**SFT_DATA["sources"][0], "rows": None}
    rows = finish(lay("prepare", {**SFT_DATA, "packing": False, "sources": [source]}, {"tokenizer": base, "data0": taste}))
    config = {**DSFT, "packing": False, "learning_rate": 1e-2, "epochs": 3, "global_batch": 16}
    return finish(lay("dsft", config, {"base": base, "data": rows.out}, save_steps=1000, micro_batch=16)).out


@pytest.fixture(scope="module")
def reward(lay: Lay, speaker: Path, pairs: Path) -> JobFolder:
    return finish(lay("reward_model", REWARD, {"model": speaker, "data": pairs}, **WIDE))


@pytest.fixture(scope="module")
def rloo(lay: Lay, speaker: Path, reward: JobFolder, pairs: Path) -> JobFolder:
    return finish(lay("rloo", RLOO, {"model": speaker, "reward": reward.out, "data": pairs}, **WIDER))


def test_a_reward_model_knows_the_better_answer(reward: JobFolder) -> None:
    metrics = reward.result()["metrics"]
    assert metrics["accuracy"] >= 0.8
    assert metrics["pairs"] == 16
    assert metrics["furthest_reward"] < 1e-5


def test_a_reward_model_killed_and_resumed_is_the_same_model(lay: Lay, speaker: Path, pairs: Path, reward: JobFolder) -> None:
    inputs = {"model": speaker, "data": pairs}
    checkpoint, code = interrupt(lay("reward_model", REWARD, inputs, **WIDE), signal.SIGKILL, 10)
    assert code == -signal.SIGKILL
    again = finish(lay("reward_model", REWARD, inputs, checkpoint=checkpoint, **WIDE))
    assert again.digests() == reward.digests()
    assert again.result()["metrics"] == reward.result()["metrics"]


def test_rewards_rise_and_the_policy_says_what_is_rewarded(rloo: JobFolder) -> None:
    rewards = [event["metrics"]["reward"] for event in rloo.events("progress") if "reward" in event.get("metrics", {})]
    assert rloo.result()["metrics"]["eval_reward"] > rewards[0] + 0.5
    assert rloo.result()["metrics"]["eval_loss"] == -rloo.result()["metrics"]["eval_reward"]


def test_reinforcement_killed_in_its_second_pass_and_resumed_is_the_same_model(
    lay: Lay, speaker: Path, pairs: Path, reward: JobFolder, rloo: JobFolder
) -> None:
    inputs = {"model": speaker, "reward": reward.out, "data": pairs}
    checkpoint, code = interrupt(lay("rloo", RLOO, inputs, **WIDER), signal.SIGKILL, 15)
    assert code == -signal.SIGKILL
    again = finish(lay("rloo", RLOO, inputs, checkpoint=checkpoint, **WIDER))
    assert again.digests() == rloo.digests()
    assert again.result()["metrics"] == rloo.result()["metrics"]


def test_adapters_learn_from_rewards_too(lay: Lay, speaker: Path, pairs: Path) -> None:
    config = {**REWARD, "learning_rate": 1e-2, "lora": LORA, "max_steps": 18}
    reward = finish(lay("reward_model", config, {"model": speaker, "data": pairs}, save_steps=1000, **WIDE))
    assert reward.result()["metrics"]["accuracy"] >= 0.8
    assert {path.name for path in reward.out.iterdir()} >= {"model.safetensors", "config.json", "tokenizer.json"}
    assert not list(reward.out.glob("adapter*")), "a reward model is published whole"
    inputs = {"model": speaker, "reward": reward.out, "data": pairs}
    policy = finish(lay("rloo", {**RLOO, "lora": LORA, "max_steps": 3}, inputs, save_steps=1000, **WIDER))
    assert (policy.out / "adapter_model.safetensors").is_file()


def test_two_ranks_that_share_the_weights_train_the_same_reward_model_and_answer_together(
    lay: Lay, speaker: Path, pairs: Path, reward: JobFolder
) -> None:
    config, inputs = {**REWARD, "global_batch": 4, "max_steps": 4}, {"model": speaker, "data": pairs}
    one, two = (run_ranks(lay_ranks(lay, "reward_model", config, inputs, count, sharding)) for count, sharding in ((1, "none"), (2, "fsdp2")))
    assert largest_difference(one.out, two.out) < 1e-5
    learning = lay_ranks(lay, "rloo", {**RLOO, "global_batch": 8, "max_steps": 3}, {**inputs, "reward": reward.out}, 2, "fsdp2", micro_batch=4)
    assert any(norm > 0 for _, norm in steps_of(run_ranks(learning)))


def test_the_program_that_scores_answers_reads_the_reward_where_it_was_trained(lay: Lay, reward: JobFolder, pairs: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reward.out)
    turns = [user("seven apple stone"), assistant("brown river")]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert text.endswith(tokenizer.eos_token), "a line feed behind it would have the reward read there"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    folder = reward.folder / "answers"
    (folder / "completions").mkdir(parents=True, exist_ok=True)
    rows = [
        {"completion_id": word, "prompt": "seven apple stone", "text": f"brown {word}", "flags": []} for word in ("river", "fox")
    ]  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "completions" / "rows.parquet")
    scored = finish(lay("reward", {"batch_size": 2, "max_length": 64}, {"model": reward.out, "completions": folder}))
    rewards = {line["completion_id"]: line["reward"] for line in map(json.loads, (scored.out / "rewards.jsonl").read_text().splitlines())}
    assert rewards["river"] > rewards["fox"] + 0.5


def test_a_model_without_a_trained_head_is_no_reward_model(lay: Lay, speaker: Path, pairs: Path) -> None:
    job = lay("rloo", RLOO, {"model": speaker, "reward": speaker, "data": pairs}, **WIDER)
    assert job.run() == 65
    assert "expected weights of a reward head: score.weight missing" in job.error()


def test_a_head_that_was_not_saved_ends_the_job(lay: Lay, speaker: Path, pairs: Path) -> None:
    job = lay("reward_model", {**REWARD, "max_steps": 4}, {"model": speaker, "data": pairs}, save_steps=1000, **WIDE)
    program = job.folder / "code" / "training.py"
    program.write_text(program.read_text().replace("weights = sharded_state.whole_weights(", "weights = another_head("))
    with program.open("a") as file:
        file.write(
            "\ndef another_head(*arguments: Any) -> Any:\n    weights = sharded_state.whole_weights(*arguments)\n"
            "    weights['score.weight'] = -weights['score.weight']\n    return weights\n"
        )
    assert job.run() == 65
    assert "as it was saved its rewards are off by" in job.error()
    assert not (job.folder / "result.json").exists()


def test_cut_answers_teach_no_reward_model(lay: Lay, speaker: Path, pairs: Path, tmp_path: Path) -> None:
    rows = parquet.read_table(pairs / "train.parquet").to_pylist()
    for row in rows[:5]:
        row["rejected_ids"] = row["rejected_ids"][:-1]
    write_pairs(tmp_path, rows, parquet.read_table(pairs / "test.parquet").to_pylist())
    job = finish(lay("reward_model", {**REWARD, "max_steps": 1}, {"model": speaker, "data": tmp_path}, **WIDE))
    assert job.result()["metrics"]["cut"] == 5
    assert job.result()["metrics"]["rows"] == len(rows) - 5


def write_pairs(folder: Path, train: list[Json], test: list[Json]) -> None:
    kind = pyarrow.list_(pyarrow.int32())
    schema = pyarrow.schema([(name, kind) for name in ("prompt_ids", "chosen_ids", "rejected_ids")])
    for split, rows in (("train", train), ("test", test)):
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), folder / f"{split}.parquet")


def test_what_leaves_nothing_to_learn_is_refused(lay: Lay, speaker: Path, pairs: Path, reward: JobFolder, tmp_path: Path) -> None:
    inputs = {"model": speaker, "reward": reward.out, "data": pairs}
    long = lay("rloo", {**RLOO, "max_new_tokens": 62}, inputs, **WIDER)
    assert long.run() == 65
    assert "Cannot fill a step of 8 prompts with the 0 that leave room for an answer" in long.error()
    groups = lay("rloo", {**RLOO, "generations": 3}, inputs, **WIDER)
    assert groups.run() == 64
    write_pairs(tmp_path, parquet.read_table(pairs / "train.parquet").to_pylist(), [])
    untested = lay("reward_model", REWARD, {"model": speaker, "data": tmp_path}, **WIDE)
    assert untested.run() == 65
    assert "ask it about 0 held-out ones" in untested.error()


def ppo_python() -> str:
    """The interpreter of environment `ppo`, where zephyr has made it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zephyr" / "environments"
    made = [os.environ["ZEPHYR_TEST_PPO_PYTHON"]] if "ZEPHYR_TEST_PPO_PYTHON" in os.environ else sorted(map(str, cache.glob("ppo-*/bin/python")))
    if not made:
        assert "ppo" not in os.environ.get("ZEPHYR_TEST_REQUIRE", ""), f"there is no environment ppo below {cache}"
        pytest.skip("there is no Python environment ppo: zephyr makes it for ddpo.method: ppo")
    return made[-1]


def start_ppo(job: JobFolder) -> subprocess.Popen[bytes]:
    log = (job.folder / "log.txt").open("ab")
    return subprocess.Popen([ppo_python(), "code/ppo.py", "job.json"], cwd=job.folder, env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def ppo(lay: Lay, speaker: Path, reward: JobFolder, pairs: Path) -> JobFolder:
    job = lay("ppo", PPO, {"model": speaker, "reward": reward.out, "data": pairs}, **WIDER)
    assert start_ppo(job).wait() == 0, job.log()[-3000:]
    return job


def test_ppo_of_the_frozen_trl_learns_from_rewards(ppo: JobFolder) -> None:
    result = ppo.result()
    assert result["versions"]["trl"] == "1.12.0"
    scores = [event["metrics"]["objective/scores"] for event in ppo.events("progress") if "objective/scores" in event.get("metrics", {})]
    assert result["metrics"]["eval_reward"] > scores[0]
    assert not [path for path in ppo.out.iterdir() if "value" in path.name]


def test_ppo_stopped_and_resumed_is_the_same_model(lay: Lay, ppo: JobFolder) -> None:
    inputs = {path.name: path.resolve() for path in (ppo.folder / "in").iterdir()}
    job = lay("ppo", PPO, inputs, **WIDER)
    process = start_ppo(job)
    while not [save for save in job.events("save") if save["step"] >= 5]:
        assert process.poll() is None, job.log()[-3000:]
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 75
    assert not (job.folder / "result.json").exists()
    again = lay("ppo", PPO, inputs, checkpoint=job.folder / job.events("save")[-1]["path"], **WIDER)
    assert start_ppo(again).wait() == 0, again.log()[-3000:]
    assert again.digests() == ppo.digests()
    assert again.result()["metrics"] == ppo.result()["metrics"]
