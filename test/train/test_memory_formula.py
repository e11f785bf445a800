"""The formula of `zephyr plan` for a rank's memory: never far from torch's own simulation, nor from what ranks really take."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import SCRIPTS, Json, forks

ROOT = SCRIPTS.parents[1]
SIMULATION = ROOT / "test" / "train" / "memory_simulation.py"
# what the formula may give for each byte of a simulation: hardly less, and not so much more that what fits is refused
SIMULATED = (0.98, 1.3)
# a rank has some tens of MB of workspaces and buffers of gloo beside its tensors
REAL = (0.75, 1.35)
RANKS = 2

SEVEN_B = {"hidden": 4096, "intermediate": 14336, "layers": 32, "heads": 32, "kvHeads": 8, "vocab": 32000, "tied": False}
SMALL = {"hidden": 1024, "intermediate": 2816, "layers": 2, "heads": 16, "kvHeads": 8, "vocab": 8192, "tied": False}
WIDE = {"hidden": 1024, "intermediate": 4096, "layers": 2, "heads": 16, "kvHeads": 16, "vocab": 64000, "tied": False}
TINY = {"hidden": 512, "intermediate": 1408, "layers": 4, "heads": 8, "kvHeads": 4, "vocab": 4096, "tied": False}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def case(shape: Json, **more: Any) -> Json:
    common = {
        "world": 8, "sharding": "fsdp2", "objective": "tokens", "rows": 4, "length": 2048, "accumulation": 1, "dtype": "bfloat16",
        "attention": "sdpa", "checkpointing": True, "lora": None, "optimizer": "adamw_torch", "reference": "none",
    }  # fmt: skip
    return {**common, "shape": shape, **more}


PAIRS = {"objective": "pairs", "rows": 8, "length": 1024, "accumulation": 2}
ALONE = {"world": 1, "sharding": "none"}
CASES = [
    case(SEVEN_B, rows=16),
    case(SMALL, **PAIRS),
    case(WIDE, **PAIRS, reference="online"),
    case(SMALL, **ALONE, rows=8),
    case(SMALL, **ALONE, lora={"r": 16, "targets": TARGETS}),
    case(WIDE, dtype="float32", checkpointing=False, rows=1),
]


def asked(cases: list[Json]) -> list[Json]:
    """What the formula says of the cases."""
    bundled = ROOT / "node_modules" / "node" / "bin" / "node"
    node = str(bundled if bundled.exists() else shutil.which("node"))
    answer = subprocess.run([node, str(ROOT / "test" / "rig" / "peak-memory.ts")], input=json.dumps(cases), capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def compare(cases: list[Json], peaks: list[int], bounds: tuple[float, float]) -> None:
    for one, formula, peak in zip(cases, asked(cases), peaks, strict=True):
        ratio = formula["bytes"] / peak
        assert bounds[0] <= ratio <= bounds[1], f"{ratio:.3f} of {peak / 2**20:.0f} MiB for {one}: {formula}"


def test_the_formula_is_close_to_torchs_own_simulation() -> None:
    ended = subprocess.run([sys.executable, str(SIMULATION)], input=json.dumps(CASES), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    peaks = [json.loads(line)["peak"] for line in ended.stdout.splitlines()]
    # the figure that is published for 16 rows of 2,048 tokens on each of 8 ranks
    assert round(peaks[0] / 2**30, 1) == 28.5
    compare(CASES, peaks, SIMULATED)


def test_the_formula_is_close_to_what_two_ranks_take(tmp_path: Path) -> None:
    common = {"world": RANKS, "rows": 1, "length": 256, "dtype": "float32"}
    cases = [case(TINY, **common), case(TINY, **common, sharding="none", checkpointing=False)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks = [forks().Process(target=take_memory, args=(cases, rank, port, tmp_path / f"{rank}.json")) for rank in range(RANKS)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0] * RANKS
    peaks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(RANKS)]
    compare(cases, [max(of_case) for of_case in zip(*peaks, strict=True)], REAL)


def take_memory(cases: list[Json], rank: int, port: int, out: Path) -> None:
    """Trains each case for two steps in one of the ranks, and writes how much memory that took above what was there."""
    import ctypes

    # memory that is free goes back to the system at once, so that the peak is one of tensors
    libc = ctypes.CDLL("libc.so.6")
    for option, value in ((-3, 65536), (-1, 65536)):
        libc.mallopt(option, value)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(RANKS), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    sys.path.insert(0, str(SIMULATION.parent))
    import memory_simulation
    import torch

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    # what is made once and stays: kernels, threads, buffers
    memory_simulation.real_step(cases[0])
    out.write_text(json.dumps([memory_simulation.real_step(one) for one in cases]))
    torch.distributed.barrier()
    os._exit(0)
