"""Hands the metrics of a run on to experiment trackers: JSON lines on stdin, one a happening; one on stdout for what is to be told.

    python track.py FOLDER TRACKER...        TRACKER: trackio, wandb, tensorboard or mlflow

A line opens a step of a run (`open`: key, project, name, group, config), gives metrics of it (`log`: key, step, time, metrics) or
ends it (`close`: key, ok). A step that is not ended when stdin is may still go on. The same key goes on with the same run of a tracker, also from another process; what a tracker has
of it already it is not given again. Each package finds its server and its key in its own variables, as anywhere else; without
them it writes below FOLDER. One that fails is told of once and left out: nothing here may harm a run.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

Line = dict[str, Any]


class Tracker(Protocol):
    """What a package has to do for a step of a run."""

    def log(self, metrics: dict[str, float], step: int, seconds: float) -> None: ...

    def close(self, ok: bool | None) -> None: ...


class Trackio:
    """Local, in TRACKIO_DIR, unless TRACKIO_SPACE_ID or TRACKIO_SERVER_URL names where to."""

    def __init__(self, folder: Path, line: Line) -> None:
        os.environ.setdefault("TRACKIO_DIR", str(folder))
        trackio = importlib.import_module("trackio")
        # what this machine does meanwhile says nothing of the job, which may be elsewhere
        quiet = {"auto_log_gpu": False, "auto_log_cpu": False, "embed": False}
        self.run = trackio.init(project=line["project"], name=line["key"], group=line["group"], config=line["config"], resume="allow", **quiet)

    def log(self, metrics: dict[str, float], step: int, seconds: float) -> None:
        self.run.log(metrics, step=step)

    def close(self, ok: bool | None) -> None:
        self.run.finish()


class Wandb:
    """Offline, for `wandb sync`, unless there is a key (WANDB_API_KEY or `wandb login`) or WANDB_MODE says what."""

    def __init__(self, folder: Path, line: Line) -> None:
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_DIR", str(folder))
        wandb = importlib.import_module("wandb")
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False) else "offline")
        project = os.environ.get("WANDB_PROJECT") or line["project"]
        self.run = wandb.init(
            project=project, id=line["key"], name=line["name"], group=line["group"], config=line["config"], mode=mode, resume="allow",
            reinit="create_new", settings=wandb.Settings(x_disable_stats=True, x_disable_meta=True, console="off", disable_code=True),
        )  # fmt: skip

    def log(self, metrics: dict[str, float], step: int, seconds: float) -> None:
        self.run.log(metrics, step=step)

    def close(self, ok: bool | None) -> None:
        self.run.finish(exit_code=1 if ok is False else 0)


class TensorBoard:
    """A folder of event files for each key, for `tensorboard --logdir`."""

    def __init__(self, folder: Path, line: Line) -> None:
        files = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        self.summary = importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary
        self.event = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
        self.writer = files.EventFileWriter(str(folder / line["project"] / line["key"]))

    def log(self, metrics: dict[str, float], step: int, seconds: float) -> None:
        values = [self.summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        self.writer.add_event(self.event(wall_time=seconds, step=step, summary=self.summary(value=values)))

    def close(self, ok: bool | None) -> None:
        self.writer.close()


class Mlflow:
    """At MLFLOW_TRACKING_URI; without it a database of one file, since MLflow 3 writes no folders of files any more."""

    def __init__(self, folder: Path, line: Line) -> None:
        address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        entities = importlib.import_module("mlflow.entities")
        self.metric, self.param = entities.Metric, entities.Param
        self.client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=address)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or line["project"]
        found = self.client.get_experiment_by_name(name)
        place = None if os.environ.get("MLFLOW_TRACKING_URI") else (folder / "artifacts").as_uri()
        experiment = found.experiment_id if found is not None else self.client.create_experiment(name, artifact_location=place)
        runs = self.client.search_runs([experiment], f"tags.`zephyr.key` = '{line['key']}'", max_results=1)
        if runs:
            self.id = runs[0].info.run_id
            self.client.update_run(self.id, status="RUNNING")
            return
        tags = {"zephyr.key": line["key"], "zephyr.run": line["group"]}
        self.id = self.client.create_run(experiment, run_name=line["name"], tags=tags).info.run_id
        params = [self.param(name, str(value)[:500]) for name, value in flat(line["config"]).items()]
        self.client.log_batch(self.id, params=params[:100])

    def log(self, metrics: dict[str, float], step: int, seconds: float) -> None:
        stamp = int(seconds * 1000)
        self.client.log_batch(self.id, metrics=[self.metric(name, value, stamp, step) for name, value in metrics.items()])

    def close(self, ok: bool | None) -> None:
        if ok is not None:
            self.client.set_terminated(self.id, status="FINISHED" if ok else "FAILED")


TRACKERS: dict[str, Callable[[Path, Line], Tracker]] = {"trackio": Trackio, "wandb": Wandb, "tensorboard": TensorBoard, "mlflow": Mlflow}


class Fanout:
    """One tracker and the steps of runs that are open in it."""

    def __init__(self, name: str, folder: Path, tell: Callable[..., None]) -> None:
        self.name, self.folder, self.tell = name, folder / name, tell
        self.open: dict[str, Tracker] = {}
        self.failed = False

    def take(self, line: Line) -> None:
        if self.failed:
            return
        try:
            self.hand_on(line)
        except Exception as error:
            self.failed = True
            self.tell(tracker=self.name, failed=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def hand_on(self, line: Line) -> None:
        key = line["key"]
        if line["type"] == "open" and key not in self.open:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.open[key] = TRACKERS[self.name](self.folder, line)
        elif line["type"] == "log":
            self.log(key, line)
        elif line["type"] == "close" and key in self.open:
            self.open.pop(key).close(line["ok"])

    def log(self, key: str, line: Line) -> None:
        """What is new: of a step that it had some metrics of already the others, such as those of an evaluation after it."""
        note = self.folder / f"{key}.json"
        step, names = -1, set[str]()
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = json.loads(note.read_text())
            step, names = int(known["step"]), set(known["names"])
        if line["step"] > step:
            names = set()
        metrics = {name: value for name, value in line["metrics"].items() if name not in names}
        if line["step"] < step or not metrics:
            return
        self.open[key].log(metrics, line["step"], line["time"])
        note.write_text(json.dumps({"step": line["step"], "names": sorted(names | set(metrics))}))

    def close(self) -> None:
        for key in list(self.open):
            self.take({"type": "close", "key": key, "ok": None})


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested objects by their path."""
    if not isinstance(value, dict):
        return {path: value}
    return {name: leaf for key, member in value.items() for name, leaf in flat(member, f"{path}.{key}" if path else str(key)).items()}


def main(folder: Path, names: list[str]) -> None:
    # the user who interrupts zephyr turns away; what was logged is still to be written
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # packages greet on standard output, which has our lines alone
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(**members: Any) -> None:
        out.write(json.dumps(members) + "\n")
        out.flush()

    trackers = [Fanout(name, folder, tell) for name in names]
    for text in sys.stdin:
        line = json.loads(text)
        line.setdefault("time", time.time())
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", line["key"]):
            raise ValueError(f"cannot name a run {line['key']!r}")
        for tracker in trackers:
            tracker.take(line)
    for tracker in trackers:
        tracker.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2:])
