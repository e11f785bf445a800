"""The job contract: what a job file may hold, how a job ends, what others read."""

from __future__ import annotations

import json
import random
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import BASE, DSFT, SCRIPTS, SFT_DATA, JobFolder, Lay, finish, in_fork

sys.path.insert(0, str(SCRIPTS))
from canonical_json import canonical_json
from durable_files import digest
from exits import JobError
from job import Hardware
from source_rows import hmac_uniform
from typed_json import parse

ROOT = SCRIPTS.parents[1]


# --- canonical JSON -----------------------------------------------------------------------------------------------

SAMPLES: list[Any] = [
    5e-7, 2e-5, 1e-6, 1e-7, 0.1, 1.0, 100, 1e21, 1e20, 123456789012345680000, -0.0, 1.5e-10, 1e16, 5e-324, 1.7976931348623157e308,
    {"b": 1, "a": [1.5, None, True, "é\u2028\n\u0001\"\\"], "10": 1, "9": 2, "01": 3, "": {}}, {"\U0001f600": 1, "\ufffd": 2}, [],
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [(5e-7, "5e-7"), (2e-5, "0.00002"), (1e-6, "0.000001"), (1.0, "1"), (0.1, "0.1"), (1e21, "1e+21"), (1e20, "1" + "0" * 20), (-0.0, "0"), (128, "128"), (1.25e-8, "1.25e-8")],
)  # fmt: skip
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    assert canonical_json(number) == text


def test_canonical_json_is_that_of_the_typescript_side() -> None:
    node = ROOT / "node_modules" / "node" / "bin" / "node"
    if not node.exists():
        pytest.skip("needs the Node of node_modules: npm run setup")
    draw = random.Random(0)
    numbers = [struct.unpack("d", draw.randbytes(8))[0] for _ in range(3000)] + [draw.uniform(-1, 1) * 10 ** draw.randint(-12, 25) for _ in range(3000)]
    values = [*SAMPLES, *(number for number in numbers if number == number and abs(number) != float("inf"))]
    script = (
        "import { canonicalJson } from './src/base/canonical-json.ts';"
        "import { readFileSync } from 'node:fs';"
        "const values = JSON.parse(readFileSync(0, 'utf8'));"
        "process.stdout.write(values.map(canonicalJson).join('\\n'));"
    )
    answer = subprocess.run([node, "--input-type=module", "-e", script], input=json.dumps(values), capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    # split on line feeds only: a canonical text may hold U+2028
    assert answer.stdout.split("\n") == [canonical_json(value) for value in values]


def test_draws_are_those_of_the_typescript_side() -> None:
    # hmacUniform(7, 'order', 'row-1') of base/hmac-choice.ts
    assert hmac_uniform(7, "order", "row-1") == pytest.approx(draw_by_hand("7", "order\0row-1"), abs=0)


def draw_by_hand(key: str, message: str) -> float:
    import hashlib
    import hmac

    return int(hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()[:12], 16) / 2**48


# --- the job file -------------------------------------------------------------------------------------------------


def edited(job: JobFolder, **members: Any) -> JobFolder:
    path = job.folder / "job.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))
    return job


def test_an_unknown_key_of_the_config_is_refused_with_the_nearest_name(lay: Lay, base: Path, sft_data: Path) -> None:
    job = lay("dsft", {**DSFT, "learning_rates": 1e-3}, {"base": base, "data": sft_data})
    assert job.run() == 64
    assert job.error() == 'Cannot use the unknown key "learning_rates" in config, did you mean "learning_rate"'


def test_an_unknown_key_of_the_job_file_is_refused(lay: Lay, world: Path) -> None:
    job = edited(lay("tiny_base", BASE, {"corpus": world}), resum=None)
    assert job.run() == 64
    assert job.error() == 'Cannot use the unknown key "resum" in job.json, did you mean "resume"'


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"learning_rate": "2e-5"}, 'Cannot use config.learning_rate = "2e-5", expected float'),
        ({"dtype": "float16"}, 'Cannot use config.dtype = "float16", expected one of "bfloat16", "float32"'),
        ({"global_batch": 128}, "Cannot train with 1 processes x 4 rows x 1 accumulated = 4, expected the global batch of 128"),
        ({"quantization": "nf4"}, 'Cannot quantize to "nf4" on the device "cpu", expected "cuda"'),
        ({"attention": "flex_attention"}, 'Cannot pack with the attention "flex_attention", in which documents may see each other'),
        ({"attention": "flash_attention_2"}, 'Cannot use the attention "flash_attention_2" on the device "cpu": its kernels need a GPU'),
        ({"trl": {"learning_rate": 1}}, 'Cannot pass "learning_rate" in config.trl'),
        ({"trl": {"max_grad_nrm": 1}}, 'Cannot use the unknown key "max_grad_nrm" in config.trl, did you mean "max_grad_norm"'),
        ({"template": "chatml"}, 'Cannot find the chat template "chatml"'),
    ],
)
def test_a_config_that_cannot_work_is_refused(lay: Lay, base: Path, sft_data: Path, change: dict[str, Any], complaint: str) -> None:
    job = lay("dsft", {**DSFT, **change}, {"base": base, "data": sft_data})
    assert job.run() == 64
    assert complaint in job.error()
    assert not (job.folder / "result.json").exists()


def test_a_job_for_gpus_that_sees_none_is_refused_and_does_not_train_on_the_cpu(lay: Lay, base: Path, sft_data: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU")
    job = lay("dsft", DSFT, {"base": base, "data": sft_data}, device="cuda")
    assert job.run() == 64
    assert re.match(r"Cannot compute on a GPU: PyTorch \S+ sees none here, expected hardware\.device cpu", job.error())


def test_a_job_file_says_how_ranks_are_sharded_and_earlier_ones_are_not() -> None:
    common = {"device": "cpu", "processes": 2, "micro_batch": 1, "accumulation": 1, "threads": 1}
    earlier = parse(Hardware, common, "hardware")
    assert (earlier.sharding, earlier.offload) == ("none", False)
    sharded = parse(Hardware, {**common, "sharding": "fsdp2", "offload": True}, "hardware")
    assert (sharded.sharding, sharded.offload) == ("fsdp2", True)
    with pytest.raises(JobError, match=r'hardware\.sharding = "zero3", expected one of "none", "fsdp2"'):
        parse(Hardware, {**common, "sharding": "zero3"}, "hardware")


def test_rows_of_another_shape_are_refused(lay: Lay, base: Path, sft_data: Path) -> None:
    job = lay("dsft", {**DSFT, "packing": False}, {"base": base, "data": sft_data})
    assert job.run() == 65
    assert "Cannot train on" in job.error() and "the columns input_ids, seq_lengths, expected rows of input_ids" in job.error()


# --- how a job ends -----------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_as_such(lay: Lay, world: Path, base: Path) -> None:
    job = lay("prepare", SFT_DATA, {"tokenizer": base, "data0": world})
    job.out.mkdir()
    (job.out / "report.json.tmp").symlink_to("/dev/full")
    assert job.run() == 74
    assert "expected free space" in job.error()


def test_a_crash_is_no_config_error_and_keeps_its_traceback(lay: Lay, world: Path) -> None:
    job = lay("tiny_base", BASE, {"corpus": world})
    (job.folder / "out").write_text("in the way")
    assert job.run() == 1
    assert "Traceback" in job.log() and not job.events("error")


def test_events_count_and_end_with_the_proof_of_success(dsft: JobFolder) -> None:
    events, steps = dsft.events(), dsft.result()["max_steps"]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "boot" and events[0]["versions"]["trl"]
    assert events[-1] == {"seq": events[-1]["seq"], "t": events[-1]["t"], "type": "final", "step": steps, "max_steps": steps}
    metrics = {name for event in dsft.events("progress") for name in event.get("metrics", {})}
    assert {"loss", "grad_norm", "learning_rate", "tokens_per_s", "epoch", "eval_loss"} <= metrics
    [data] = dsft.events("data")
    assert dsft.result()["global_step"] == steps == -(-data["rows"] // 4) > 30


def test_the_train_loss_is_the_mean_over_all_steps(dsft: JobFolder) -> None:
    steps = dsft.result()["global_step"]
    state = json.loads((dsft.folder / "checkpoints" / f"checkpoint-{steps}" / "trainer_state.json").read_text())
    logs, total, seen = [log for log in state["log_history"] if "loss" in log], 0.0, 0
    for log in logs:
        total, seen = total + log["loss"] * (log["step"] - seen), log["step"]
    assert seen == steps
    assert dsft.result()["metrics"]["train_loss"] == pytest.approx(total / steps)


def test_two_runs_give_the_same_bytes(lay: Lay, world: Path, base: Path, sft_data: Path) -> None:
    again = finish(lay("tiny_base", BASE, {"corpus": world}))
    assert again.digests() == {path.name: digest(path) for path in base.iterdir()}
    prepared = finish(lay("prepare", SFT_DATA, {"tokenizer": base, "data0": world}))
    assert prepared.digests() == {path.name: digest(path) for path in sft_data.iterdir()}


def test_no_folder_of_this_machine_is_in_an_artifact(dsft: JobFolder, dsft_lora: JobFolder) -> None:
    for job in (dsft, dsft_lora):
        for path in job.out.iterdir():
            assert str(job.folder).encode() not in path.read_bytes(), path.name


def test_the_field_lists_are_those_of_the_pinned_trl(tmp_path: Path) -> None:
    dump = in_fork(dump_fields, str(tmp_path))
    assert dump == 0
    for path in tmp_path.iterdir():
        committed = json.loads((ROOT / "configs" / "schema" / path.name).read_text())
        assert json.loads(path.read_text()) == committed, "run scripts/train/dump_trl_fields.py configs/schema"


def dump_fields(folder: str) -> None:
    import dump_trl_fields

    dump_trl_fields.main(Path(folder))


def test_every_package_is_pinned_and_installed() -> None:
    import importlib.metadata

    pins = dict(line.split("==") for line in (SCRIPTS / "environments" / "train" / "requirements.txt").read_text().splitlines())
    for name, version in pins.items():
        assert importlib.metadata.version(name).split("+")[0] == version, name
