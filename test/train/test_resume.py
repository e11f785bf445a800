"""Killed, stopped, tampered with: what a resume gives is what an undisturbed run gives, bit for bit, or a refusal."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import DDPO, DSFT, LORA, JobFolder, Json, Lay, in_fork
from interrupting import interrupt, stop_one_of_two
from ranks import codes, notes_of_resuming, start_ranks

SHARD = "shards/__0_0.distcp"
# would be harmless; one that is not would have run before anybody saw it
OTHER_PICKLE = pickle.dumps({"state_dict_metadata": {}})


def resumed(lay: Lay, program: str, config: Json, inputs: dict[str, Path], checkpoint: Path) -> JobFolder:
    job = lay(program, config, inputs, checkpoint=checkpoint)
    assert job.run() == 0, job.log()[-3000:]
    return job


def test_full_dsft_killed_and_resumed_is_the_same_model(lay: Lay, base: Path, sft_data: Path, dsft: JobFolder) -> None:
    inputs = {"base": base, "data": sft_data}
    checkpoint, code = interrupt(lay("dsft", DSFT, inputs), signal.SIGKILL, 10)
    assert code == -signal.SIGKILL
    again = resumed(lay, "dsft", DSFT, inputs, checkpoint)
    assert again.digests() == dsft.digests()
    assert again.result()["metrics"] == dsft.result()["metrics"]


def test_lora_dsft_killed_and_resumed_is_the_same_adapter(lay: Lay, base: Path, sft_data: Path, dsft_lora: JobFolder) -> None:
    inputs, config = {"base": base, "data": sft_data}, {**DSFT, "lora": LORA}
    checkpoint, _ = interrupt(lay("dsft", config, inputs), signal.SIGKILL, 10)
    assert resumed(lay, "dsft", config, inputs, checkpoint).digests() == dsft_lora.digests()


def test_ddpo_killed_and_resumed_is_the_same_model(lay: Lay, dsft: JobFolder, prefs_data: Path, ddpo: JobFolder) -> None:
    inputs = {"model": dsft.out, "data": prefs_data}
    checkpoint, _ = interrupt(lay("ddpo", DDPO, inputs), signal.SIGKILL, 10)
    again = resumed(lay, "ddpo", DDPO, inputs, checkpoint)
    assert again.digests() == ddpo.digests()
    assert again.result()["metrics"] == ddpo.result()["metrics"]


def test_sigterm_saves_a_verified_checkpoint_and_exits_75(lay: Lay, base: Path, sft_data: Path, dsft: JobFolder) -> None:
    inputs = {"base": base, "data": sft_data}
    job = lay("dsft", DSFT, inputs, save_steps=1000)
    process = job.start(hold=("progress", 4))
    job.wait_for(lambda event: event["type"] == "progress" and event["step"] >= 4, process)
    os.kill(process.pid, signal.SIGTERM)
    job.go()
    process.join()
    assert process.exitcode == 75
    [save] = job.events("save")
    assert 4 <= save["step"] < dsft.result()["max_steps"]
    assert not any(job.out.iterdir()), "a stopped job publishes nothing"
    again = resumed(lay, "dsft", DSFT, inputs, job.folder / save["path"])
    assert again.digests() == dsft.digests()


def test_stopped_after_the_last_step_is_resumed_without_another_step(lay: Lay, base: Path, sft_data: Path, dsft: JobFolder) -> None:
    last = dsft.folder / dsft.events("save")[-1]["path"]
    assert dsft.events("save")[-1]["step"] == dsft.result()["max_steps"]
    again = resumed(lay, "dsft", DSFT, {"base": base, "data": sft_data}, last)
    assert again.digests() == dsft.digests()
    assert again.result()["metrics"] == dsft.result()["metrics"]


def test_sigterm_before_training_exits_75_too(lay: Lay, base: Path, sft_data: Path) -> None:
    job = lay("dsft", DSFT, {"base": base, "data": sft_data})
    process = job.start(hold=("data", 0))
    job.wait_for(lambda event: event["type"] == "data", process)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 75
    assert "outside of the training loop" in job.events("note")[-1]["message"]


def test_two_checkpoints_are_kept(dsft: JobFolder) -> None:
    announced = [Path(save["path"]).name for save in dsft.events("save")]
    assert sorted(path.name for path in (dsft.folder / "checkpoints").glob("checkpoint-*")) == sorted(announced[-2:])


def test_one_of_two_ranks_stopped_stops_both_and_any_number_goes_on(lay: Lay, base: Path, sft_data: Path, dsft: JobFolder) -> None:
    def two_ranks(checkpoint: Path | None) -> JobFolder:
        return lay("dsft", DSFT, {"base": base, "data": sft_data}, save_steps=1000, checkpoint=checkpoint, processes=2, micro_batch=2)

    job = two_ranks(None)
    checkpoint = stop_one_of_two(job)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    assert (manifest["world_size"], manifest["sharding"]) == (2, "none")
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {entry["path"] for entry in manifest["files"]}

    again = two_ranks(checkpoint)
    assert codes(start_ranks(again, 2)) == [0, 0], again.log()[-3000:]
    assert not notes_of_resuming(again)
    alone = resumed(lay, "dsft", DSFT, {"base": base, "data": sft_data}, checkpoint)
    [note] = notes_of_resuming(alone)
    assert note.startswith(f"resumed at step {manifest['step']} with 1 (sharding none) what 2 processes (sharding none) had saved")
    for other in (again, alone):
        assert other.result()["global_step"] == dsft.result()["max_steps"]
        # the same rows in the same steps; only sums are taken in another order
        assert other.result()["metrics"]["eval_loss"] == pytest.approx(dsft.result()["metrics"]["eval_loss"], abs=1e-3)
        assert other.digests().keys() == dsft.digests().keys()
        assert in_fork(compare_weights, str(other.out), str(dsft.out)) == 0


def compare_weights(one: str, other: str) -> None:
    import torch
    from safetensors.torch import load_file

    ours, theirs = (load_file(f"{folder}/model.safetensors") for folder in (one, other))
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=1e-3)


def unlist_metadata(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != "shards/.metadata"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def checkpoint(dsft: JobFolder, tmp_path: Path) -> Path:
    """A copy of a good checkpoint, to be spoilt."""
    first = dsft.folder / dsft.events("save")[-2]["path"]
    return Path(shutil.copytree(first, tmp_path / first.name))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: flip_a_bit(folder / SHARD), f'the file "{SHARD}" is not the one'),
        (lambda folder: (folder / SHARD).unlink(), f'the file "{SHARD}" is missing'),
        (lambda folder: (folder / "shards/.metadata").write_bytes(OTHER_PICKLE), 'the file "shards/.metadata" is not the one'),
        (unlist_metadata, 'the file "shards/.metadata" is in it, but not in manifest.json'),
        (lambda folder: (folder / "trainer_state.json").write_text("{}"), 'the file "trainer_state.json" is not the one'),
        (lambda folder: (folder / "manifest.json").unlink(), "expected a manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text('{"version": 1'), "manifest.json cannot be read"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_refused(
    lay: Lay, base: Path, sft_data: Path, checkpoint: Path, spoil: Any, complaint: str
) -> None:
    spoil(checkpoint)
    job = lay("dsft", DSFT, {"base": base, "data": sft_data}, checkpoint=checkpoint)
    assert job.run() == 65
    assert complaint in job.error()


def test_a_checkpoint_of_another_config_is_refused(lay: Lay, base: Path, sft_data: Path, checkpoint: Path) -> None:
    job = lay("dsft", {**DSFT, "learning_rate": 2e-3}, {"base": base, "data": sft_data}, checkpoint=checkpoint)
    assert job.run() == 65
    assert "made by the config" in job.error()


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
