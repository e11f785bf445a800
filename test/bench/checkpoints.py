"""
What sharding saves on each rank: memory while loading, and the pause at a checkpoint, beside the way before (each rank holds
all; rank 0 writes and hashes it in one piece while the others wait). `.venv/bin/python test/bench/checkpoints.py [RANKS]
[LAYERS]`; figures to read, not a test.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "scripts" / "train"))
TINY = {"vocab_size": 8192, "hidden_size": 512, "intermediate_size": 1536, "num_attention_heads": 8, "num_key_value_heads": 4}
CONFIG: dict[str, Any] = {
    "template": "zephyr", "max_length": 64, "seed": 1, "learning_rate": 1e-3, "schedule": "cosine", "warmup": 0.1, "epochs": 1,
    "global_batch": 4, "optimizer": "adamw_torch", "weight_decay": 0, "dtype": "bfloat16", "attention": "sdpa",
    "gradient_checkpointing": False, "lora": None, "quantization": None, "trl": {},
}  # fmt: skip


def main(ranks: int, layers: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="zephyr-checkpoints-"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo"}
    try:
        subprocess.run([sys.executable, str(HERE), "make", str(folder), str(layers)], check=True, env=environment)
        for way in ("whole", "sharded"):
            torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
            subprocess.run([*torchrun, str(HERE), way, str(folder), str(ranks)], check=True, env=environment, stderr=subprocess.DEVNULL)
        figures: dict[str, list[float]] = {}
        for line in (folder / "figures.txt").read_text().splitlines():
            what, value = line.split("\t")
            figures.setdefault(what, []).append(float(value))
        print("medians of rank 0:")
        for what, values in figures.items():
            print(f"  {what:54} {statistics.median(values):7.2f}")
    finally:
        shutil.rmtree(folder)


def make(folder: Path, layers: int) -> None:
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(1)
    model = MistralForCausalLM(MistralConfig(**TINY, num_hidden_layers=layers))
    # as bases are published: what is loaded is cast, and no longer the file that the kernel maps
    model.to(torch.bfloat16).save_pretrained(folder / "model")
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {12 * model.num_parameters() / 1e6:.0f} MB of weights and moments in float32")


def rank(way: str, folder: Path, ranks: int) -> None:
    import checkpoint
    import load_model
    import torch
    import torch.distributed as dist
    import transformers.models.mistral.modeling_mistral  # noqa: F401
    from job import RANK, Cadence, Hardware, Job, JobFile
    from saving import Saving
    from train_config import TrainConfig

    dist.init_process_group("gloo")
    os.chdir(folder)
    hardware = Hardware("cpu", ranks, 1, 4 // ranks, 1, "fsdp2" if way == "sharded" else "none")
    job = Job(JobFile(1, "dsft", {}, CONFIG, {}, hardware, Cadence(1, 1, 1.0), None), folder)
    job.checkpoints.mkdir(exist_ok=True)
    config = TrainConfig(**CONFIG)
    barrier: Callable[[], Any] = dist.barrier

    def everyone(value: float) -> str:
        found: list[Any] = [None] * ranks
        dist.all_gather_object(found, value)
        return " ".join(f"{one:7.2f}" for one in found)

    def tell(what: str, value: float) -> None:
        text = everyone(value)
        if RANK == 0:
            print(f"{way:8} {what:46} {text}", flush=True)
            with open("figures.txt", "a") as file:
                file.write(f"{way}, {what}\t{value}\n")

    with PeakMemory() as memory:
        model = load_model.load_model(job, config, Path("model"))
    tell("loading, peak MB over the start, by rank", memory.peak)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()

    def whole(at: int) -> float:
        target = job.checkpoints / f"checkpoint-{at}"
        begun = time.perf_counter()
        if RANK == 0:
            target.mkdir()
            model.save_pretrained(target)
            torch.save(optimizer.state_dict(), target / "optimizer.pt")
        barrier()
        hashing = time.perf_counter()
        if RANK == 0:
            checkpoint.write_manifest(job, target, at)
        barrier()
        tell("of it sync and hash, s", time.perf_counter() - hashing)
        return time.perf_counter() - begun

    def sharded(at: int, overlaps: bool) -> float:
        import saving

        saving.overlaps = lambda _: overlaps
        one = Saving(job, "fsdp2")
        one.group()
        barrier()
        begun = time.perf_counter()
        one.write(job.checkpoints / f"checkpoint-{at}", model, optimizer)
        written = time.perf_counter()
        one.seal(job.checkpoints / f"checkpoint-{at}", at)
        pause = time.perf_counter() - begun
        one.wait()
        tell("of it sync and hash, s" if not overlaps else "of it beside the training, s", time.perf_counter() - (begun + pause if overlaps else written))
        return pause

    for round_ in range(3):
        if way == "whole":
            barrier()
            tell("pause at a save, s", whole(round_ + 1))
        else:
            tell("pause at a save, s", sharded(2 * round_ + 1, False))
            tell("pause at a save beside the training, s", sharded(2 * round_ + 2, True))
    barrier()
    if RANK == 0:
        shutil.rmtree(job.checkpoints)
    os._exit(0)


class PeakMemory:
    """Highest anonymous memory of this process over that at the start, MB."""

    def __enter__(self) -> PeakMemory:
        self.start, self.peak, self._ended = anonymous(), 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._ended.wait(0.001):
            self.peak = max(self.peak, anonymous() - self.start)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def anonymous() -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("RssAnon"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] in (["whole"], ["sharded"]):
        rank(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 4, int(sys.argv[2]) if len(sys.argv) > 2 else 12)
