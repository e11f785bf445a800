"""Trackers: each package is given a run in two sittings and reads back itself what it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS

NAMES = ["trackio", "wandb", "tensorboard", "mlflow"]
KEY = "run-01-train"
OPEN = {"type": "open", "key": KEY, "project": "tiny", "name": "ddpo/train", "group": "run-01", "config": {"beta": 0.1, "lora": {"r": 4}}}
WANTED = [(step, 1 / step) for step in (1, 10, 20, 30)]
READERS = {
    "trackio": """
import os
os.environ["TRACKIO_DIR"] = folder + "/trackio"
from trackio.sqlite_storage import SQLiteStorage
found = [[row["step"], row["loss"]] for row in SQLiteStorage.get_logs("tiny", key) if "loss" in row]
assert [row["eval_loss"] for row in SQLiteStorage.get_logs("tiny", key) if "eval_loss" in row] == [0.5]
""",
    # it has no reader of its own files but in Go: its records, as protobuf, lie in blocks of 32 kB, each behind seven bytes
    "wandb": """
import glob, json
from wandb.proto import wandb_internal_pb2 as records
found = []
for path in sorted(glob.glob(folder + "/wandb/wandb/offline-run-*/run-*.wandb")):
    data, at, whole = open(path, "rb").read(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole, at = whole + data[at + 7 : at + 7 + size], at + 7 + size
        if kind in (1, 4):
            record = records.Record.FromString(whole)
            if record.WhichOneof("record_type") == "history":
                items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
                found.append([items["_step"], items["loss"]])
            whole = b""
""",
    "tensorboard": """
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(folder + "/tensorboard/tiny/" + key)
events.Reload()
found = [[event.step, event.value] for event in events.Scalars("loss")]
""",
    "mlflow": """
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri="sqlite:///" + folder + "/mlflow/mlflow.db")
runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
assert len(runs) == 1 and runs[0].info.status == "FINISHED" and runs[0].data.params["lora.r"] == "4"
found = [[metric.step, metric.value] for metric in client.get_metric_history(runs[0].info.run_id, "loss")]
""",
}


def python() -> Path:
    """The interpreter of environment `trackers`, where zephyr has made it."""
    named = os.environ.get("ZEPHYR_TEST_TRACKERS_PYTHON")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zephyr" / "environments"
    made = sorted(cache.glob("trackers-*/bin/python"))
    if named is None and not made:
        assert "trackers" not in os.environ.get("ZEPHYR_TEST_REQUIRE", ""), f"there is no environment trackers below {cache}"
        pytest.skip("there is no Python environment trackers: zephyr makes it for a target with trackers")
    return Path(named) if named else made[0]


def bare(folder: Path) -> dict[str, str]:
    """As for a user who has neither keys nor servers."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "DO_NOT_TRACK": "1", "WANDB_ERROR_REPORTING": "false"}


def track(folder: Path, lines: list[dict[str, Any]], names: list[str] = NAMES) -> list[Any]:
    """What it told."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    program = [str(python()), str(SCRIPTS / "track.py"), str(folder), *names]
    done = subprocess.run(program, input=text, capture_output=True, text=True, env=bare(folder), timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def logged(*steps: int) -> list[dict[str, Any]]:
    return [{"type": "log", "key": KEY, "step": step, "metrics": {"loss": 1 / step}} for step in steps]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first follower was killed, and whose second is told of the last two steps again."""
    folder = tmp_path_factory.mktemp("trackers")
    assert track(folder, [OPEN, *logged(1, 10, 20)]) == []
    evaluated = {"type": "log", "key": KEY, "step": 30, "metrics": {"eval_loss": 0.5}}
    assert track(folder, [OPEN, *logged(10, 20, 30), evaluated, {"type": "close", "key": KEY, "ok": True}]) == []
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_goes_on_is_one_run_with_each_step_once(tracked: Path, name: str) -> None:
    code = f"import json, sys\nfolder, key = sys.argv[1:]\n{READERS[name]}\nprint(json.dumps(found))"
    read = subprocess.run([str(python()), "-c", code, str(tracked), KEY], capture_output=True, text=True, env=bare(tracked), timeout=300)
    assert read.returncode == 0, read.stderr[-3000:]
    found = json.loads(read.stdout.splitlines()[-1])
    assert [step for step, _ in found] == [step for step, _ in WANTED]
    assert [value for _, value in found] == pytest.approx([value for _, value in WANTED])


def test_one_that_fails_is_told_of_once_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "wandb").write_text("in the way")
    told = track(tmp_path, [OPEN, *logged(1, 10)], ["wandb", "tensorboard"])
    assert [line["tracker"] for line in told] == ["wandb"]
    assert "FileExistsError" in told[0]["failed"]
    assert list((tmp_path / "tensorboard" / "tiny" / KEY).iterdir())


def test_it_needs_no_package_that_is_not_asked_for() -> None:
    done = subprocess.run([sys.executable, str(SCRIPTS / "track.py"), "x"], input="", capture_output=True, text=True)
    assert done.returncode == 0
