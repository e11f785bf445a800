"""Job folders laid out by hand, as the engine lays them out, and the programs run in them for real.

A start costs seven seconds of imports. Most runs are therefore forked from a server that has imported everything once;
from there on they are processes like any other: they can be killed, and they exit with a code.
"""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import multiprocessing.forkserver
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "train"
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1",
    "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip
PRELOAD = ["trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "transformers.models.mistral.modeling_mistral", "peft"]
Json = dict[str, Any]

ARCHITECTURE = {
    "model_type": "mistral", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 256,
}  # fmt: skip
BASE: Json = {"architecture": ARCHITECTURE, "vocab_size": 400, "template": "zephyr", "seed": 1}
SFT_DATA: Json = {
    "kind": "sft", "template": "zephyr", "system": "empty", "max_length": 64, "packing": True, "loss_tokens": "all", "seed": 1,
    "filters": {"truecase": False, "drop_refusals": True}, "test_rows": None,
    "sources": [{"input": "data0", "train": "train_sft", "test": "test_sft", "fraction": 1, "rows": {"train_sft": 160}}],
}  # fmt: skip
PREFS_DATA: Json = {
    "kind": "prefs", "template": "zephyr", "system": "empty", "max_length": 64, "max_prompt_length": 32, "seed": 1,
    "sources": [{"input": "data0", "train": "train_prefs", "test": "test_prefs", "fraction": 1, "rows": None}],
}  # fmt: skip
TRAINING: Json = {
    "template": "zephyr", "max_length": 64, "seed": 1, "learning_rate": 1e-3, "schedule": "cosine", "warmup": 0.1, "epochs": 1,
    "global_batch": 4, "optimizer": "adamw_torch", "weight_decay": 0, "dtype": "float32", "attention": "auto",
    "gradient_checkpointing": False, "lora": None, "quantization": None, "trl": {},
}  # fmt: skip
LORA: Json = {"r": 4, "alpha": 8, "dropout": 0.05, "targets": ["q_proj", "v_proj", "down_proj"]}
DSFT: Json = {**TRAINING, "packing": True, "loss_tokens": "all"}
DDPO: Json = {**TRAINING, "beta": 0.1, "loss_type": "sigmoid"}
GENERATE: Json = {
    "template": "zephyr", "max_new_tokens": 12, "temperature": 0.8, "top_p": 0.9, "samples": 2, "batch_size": 4, "seed": 1,
    "engine": "transformers", "system": "empty",
}  # fmt: skip


class JobFolder:
    """One attempt of a job."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.program, self.out = folder, program, folder / "out"

    def start(self, environment: dict[str, str] | None = None, hold: tuple[str, int] | None = None) -> Any:
        """
        A process forked from the server, with `pid`, `join` and `exitcode`. Where it tells of an event of this type, of this
        step or a later one, it waits for `go`, so that it is there and nowhere else when a signal comes.
        """
        process = forks().Process(target=run_program, args=(str(self.folder), self.program, environment or {}, hold))
        process.start()
        return process

    def go(self) -> None:
        (self.folder / "go").touch()

    def run(self) -> int:
        process = self.start()
        process.join()
        return process.exitcode

    def events(self, type: str | None = None) -> list[Json]:
        path = self.folder / "events.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in found if type is None or event["type"] == type]

    def error(self) -> str:
        return self.events("error")[-1]["message"]

    def result(self) -> Json:
        return json.loads((self.folder / "result.json").read_text())

    def digests(self) -> dict[str, str]:
        """sha256 of every file of the artifact."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(self.out.rglob("*")) if path.is_file()}

    def wait_for(self, wanted: Callable[[Json], bool], process: Any) -> Json:
        """The first event that `wanted` takes; the process must live until then."""
        while True:
            alive = process.is_alive()
            for event in self.events():
                if wanted(event):
                    return event
            assert alive, (self.folder / "log.txt").read_text()[-2000:]
            time.sleep(0.002)

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


def run_program(folder: str, program: str, environment: dict[str, str], hold: tuple[str, int] | None) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = [f"code/{program}.py", "job.json"]
    sys.path.insert(0, f"{folder}/code")
    if hold is not None:
        hold_at(*hold)
    runpy.run_path(sys.argv[0], run_name="__main__")


def hold_at(wanted: str, step: int) -> None:
    from job import Job

    emit = Job.emit

    def emit_and_wait(self: Any, type: str, **members: Any) -> None:
        emit(self, type, **members)
        while type == wanted and members.get("step", step) >= step and not Path("go").exists():
            time.sleep(0.002)

    Job.emit = emit_and_wait


@functools.cache
def forks() -> Any:
    """The server, started with an environment that this process itself does not get: other tests talk to a Hub."""
    context, before = multiprocessing.get_context("forkserver"), dict(os.environ)
    context.set_forkserver_preload(PRELOAD)
    os.environ.update(ENVIRONMENT)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return context


def in_fork(target: Callable[..., None], *arguments: Any) -> int:
    """Runs a function of a test file where everything is imported; its exit code, 1 if it throws."""
    process = forks().Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode or 0


Lay = Callable[..., JobFolder]


@pytest.fixture(scope="session")
def lay(tmp_path_factory: pytest.TempPathFactory) -> Lay:
    """Lays out a job folder; `checkpoint` is copied in and resumed from."""

    def lay(
        program: str, config: Json, inputs: dict[str, Path], *, save_steps: int = 5, checkpoint: Path | None = None, **hardware: int | str | bool
    ) -> JobFolder:
        folder = tmp_path_factory.mktemp(program)
        shutil.copytree(SCRIPTS, folder / "code", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "in").mkdir()
        for name, source in inputs.items():
            (folder / "in" / name).symlink_to(source)
        if checkpoint is not None:
            shutil.copytree(checkpoint, folder / "in" / "resume" / checkpoint.name)
        job = {
            "version": 1,
            "program": program,
            "labels": {"run": "r", "stage": "dsft", "step": program, "epoch": 1},
            "config": config,
            "inputs": {name: f"in/{name}" for name in inputs},
            "hardware": {"device": "cpu", "processes": 1, "micro_batch": 4, "accumulation": 1, "threads": 1, **hardware},
            "cadence": {"save_steps": save_steps, "log_steps": 4, "heartbeat_s": 0.5},
            "resume": None if checkpoint is None else f"in/resume/{checkpoint.name}",
        }
        (folder / "job.json").write_text(json.dumps(job))
        return JobFolder(folder, program)

    return lay


def finish(job: JobFolder) -> JobFolder:
    assert job.run() == 0, job.log()[-3000:]
    return job


# --- a small world ------------------------------------------------------------------------------------------------

WORDS = "red green blue seven apple river stone quick brown fox jumps over the lazy dog sort these numbers please reverse".split()


def write_rows(path: Path, rows: list[Json]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(text: str) -> Json:
    return {"role": "assistant", "content": text}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dialogues, pairs and prompts of random words, the same each time."""
    folder, draw = tmp_path_factory.mktemp("world"), random.Random(0)

    def text(words: int) -> str:
        return " ".join(draw.choice(WORDS) for _ in range(words)).capitalize() + "."

    def dialogue() -> list[Json]:
        return [turn for _ in range(draw.choice([1, 1, 2])) for turn in (user(text(draw.randint(3, 12))), assistant(text(draw.randint(3, 20))))]

    for split, count in (("train_sft", 160), ("test_sft", 12)):
        write_rows(folder / "data" / f"{split}.jsonl", [{"prompt_id": f"{split}-{i}", "messages": dialogue()} for i in range(count)])
    for split, count in (("train_prefs", 120), ("test_prefs", 8)):
        prompts = [user(text(draw.randint(3, 12))) for _ in range(count)]
        rows = [
            {
                "prompt_id": f"{split}-{i}",
                "prompt": prompt["content"],
                "chosen": [prompt, assistant(text(10))],
                "rejected": [prompt, assistant(text(7))],
            }
            for i, prompt in enumerate(prompts)
        ]
        write_rows(folder / "data" / f"{split}.jsonl", rows)
    write_rows(folder / "prompts.jsonl", [{"prompt_id": f"p{i:02}", "prompt": text(draw.randint(2, 14))} for i in range(26)])
    return folder


@pytest.fixture(scope="session")
def base(lay: Lay, world: Path) -> Path:
    return finish(lay("tiny_base", BASE, {"corpus": world})).out


@pytest.fixture(scope="session")
def sft_data(lay: Lay, world: Path, base: Path) -> Path:
    return finish(lay("prepare", SFT_DATA, {"tokenizer": base, "data0": world})).out


@pytest.fixture(scope="session")
def prefs_data(lay: Lay, world: Path, base: Path) -> Path:
    return finish(lay("prepare", PREFS_DATA, {"tokenizer": base, "data0": world})).out


@pytest.fixture(scope="session")
def dsft(lay: Lay, base: Path, sft_data: Path) -> JobFolder:
    """Full fine-tune from beginning to end."""
    return finish(lay("dsft", DSFT, {"base": base, "data": sft_data}))


@pytest.fixture(scope="session")
def dsft_lora(lay: Lay, base: Path, sft_data: Path) -> JobFolder:
    return finish(lay("dsft", {**DSFT, "lora": LORA}, {"base": base, "data": sft_data}))


@pytest.fixture(scope="session")
def ddpo(lay: Lay, dsft: JobFolder, prefs_data: Path) -> JobFolder:
    return finish(lay("ddpo", DDPO, {"model": dsft.out, "data": prefs_data}))


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    yield
    for process in multiprocessing.active_children():
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Json]:
    """The embedded Hub in a process of its own: its `url` and `token`."""
    root, store = SCRIPTS.parents[1], tmp_path_factory.mktemp("store")
    bundled = root / "node_modules" / "node" / "bin" / "node"
    serve = [str(bundled if bundled.exists() else shutil.which("node")), str(root / "test" / "rig" / "hub-serve.ts"), str(store)]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield json.loads(server.stdout.readline())
        server.stdin.close()
    assert server.returncode == 0
