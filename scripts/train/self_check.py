"""Whether training works on this machine: about a minute, on GPUs or on a CPU, with a tiny model of random weights.

    python self_check.py [--device auto|cpu|cuda] [--ranks N]

The programs of jobs run as jobs run: under supervise.py, on every GPU of the machine unless told otherwise. What is found is
told line by line on standard error, and as one line of JSON on standard output: {"ok", "device", "gpus", "seconds", "checks":
[{"check", "ok", "words"}]}. The exit status is 0 where all is well, 1 where a check failed, 2 where there is nothing to check on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from check_jobs import CODE, SAVED, STEPS, Bench, Trained, lay_base, lay_rows, read, supervised, train

ANSWERS = ("chosen_ids", "rejected_ids")
# Relative differences that rounding explains. Between ranks: sums in another order, of gradients in float32 of products in the
# dtype. Between attentions: the same sums taken in other blocks. After a resume on a GPU, where atomic sums come as they come.
BETWEEN_RANKS = {"float32": 1e-5, "bfloat16": 1e-2}
BETWEEN_ATTENTIONS = {"float32": 1e-5, "bfloat16": 2e-2}
AFTER_RESUME = {"cpu": 0.0, "cuda": 1e-3}


@dataclasses.dataclass(frozen=True)
class Check:
    check: str
    ok: bool
    words: str


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains a tiny model for a minute and says whether training works here.")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--ranks", type=int, help="processes; default: one for each GPU, one on a CPU")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], help="default: bfloat16 on GPUs, float32 on a CPU")
    parser.add_argument("--all-reduce", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.all_reduce:
        return all_reduce()
    import torch

    began, gpus = time.monotonic(), [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
    device = asked.device if asked.device != "auto" else "cuda" if gpus else "cpu"
    ranks = asked.ranks or (len(gpus) if device == "cuda" else 1) or 1
    if device == "cuda" and ranks > len(gpus):
        seen = f"PyTorch {torch.__version__} sees {len(gpus) or 'no'} GPU{'' if len(gpus) == 1 else 's'}"
        print(f"error: Cannot check ranks on {ranks} GPU{'' if ranks == 1 else 's'}: {seen}", file=sys.stderr)
        return 2
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="zephyr-check-") as folder:
        bench = Bench(Path(folder), device, ranks, asked.dtype or ("bfloat16" if device == "cuda" else "float32"))
        for check in run_checks(bench):
            checks.append(check)
            print(f"{'ok    ' if check.ok else 'FAILED'} {check.check}: {check.words}", file=sys.stderr, flush=True)
    ok = all(check.ok for check in checks)
    verdict = {"ok": ok, "device": device, "gpus": gpus, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps({**verdict, "checks": [dataclasses.asdict(check) for check in checks]}))
    return 0 if ok else 1


def run_checks(bench: Bench) -> Iterator[Check]:
    import torch

    what = f"PyTorch {torch.__version__}, {bench.ranks} {'process' if bench.ranks == 1 else 'processes'}, {bench.dtype}"
    yield Check("device", True, f"{torch.cuda.get_device_name()}, {what}" if bench.device == "cuda" else f"CPU, {what}")
    lay_base(bench)
    lay_rows(bench)
    yield from attentions(bench)
    yield pairs(bench)
    if bench.ranks > 1:
        yield ranks_sum(bench)
    alone = train(bench, "one", 1)
    if isinstance(alone, str):
        yield Check("training", False, alone)
        return
    yield describe_training(alone)
    whole = train(bench, "all", bench.ranks) if bench.ranks > 1 else alone
    if isinstance(whole, str):
        yield Check("sharding", False, whole)
        return
    if bench.ranks > 1:
        yield same_losses(alone, whole, bench)
    again = train(bench, "resumed", bench.ranks, whole.folder / "checkpoints" / f"checkpoint-{SAVED}")
    yield Check("resume", False, again) if isinstance(again, str) else same_weights(whole, again, bench)



def describe_training(alone: Trained) -> Check:
    last = [event["metrics"] for event in alone.events if "loss" in event.get("metrics", {})][-1]
    mfu = f", MFU {last['mfu']:.0%}" if "mfu" in last else ""
    words = f"{len(alone.losses)} steps with {alone.result['metrics']['attention']}, loss {alone.losses[0]:.3f} to {alone.losses[-1]:.3f}"
    rate = f", {last['tokens_per_s']:,.0f} tokens/s in the last step{mfu}"
    return Check("training", len(alone.losses) == STEPS and alone.losses[-1] < alone.losses[0], words + rate)


def same_losses(alone: Trained, whole: Trained, bench: Bench) -> Check:
    apart = max((relative(a, b) for a, b in zip(alone.losses, whole.losses, strict=False)), default=1.0)
    bound = BETWEEN_RANKS[bench.dtype]
    ok = apart <= bound and len(whole.losses) == STEPS
    return Check("sharding", ok, f"losses of {bench.ranks} ranks differ from those of one by {apart:.1e} at most, expected at most {bound:.0e}")


def same_weights(whole: Trained, again: Trained, bench: Bench) -> Check:
    import torch
    from safetensors.torch import load_file

    resumed = [event["step"] for event in again.events if event["type"] == "progress"][:1] == [SAVED]
    left, right = (load_file(each.folder / "out" / "model.safetensors") for each in (whole, again))
    if left.keys() != right.keys():
        return Check("resume", False, "the weights have other names")
    apart = max(relative_norm(right[name].float(), left[name].float()) for name in left)
    bound, equal = AFTER_RESUME[bench.device], all(torch.equal(left[name], right[name]) for name in left)
    words = "weights equal bit by bit" if equal else f"weights differ by {apart:.1e} of their norm"
    start = f"saved and resumed at step {SAVED}: " if resumed else f"did not begin at step {SAVED}: "
    return Check("resume", resumed and apart <= bound, f"{start}{words}, expected {'no difference' if bound == 0 else f'at most {bound:.0e}'}")


def attentions(bench: Bench) -> Iterator[Check]:
    """Every attention that is there, on packed rows, against sdpa: losses of each document and the gradient of the embedding."""
    import attention

    names = ["eager"]
    if bench.device == "cuda":
        for name in attention.PACKAGES:
            found, reasons = attention.implementation(name)
            # FlashAttention 3 is written for Hopper
            usable = attention.capability() >= attention.AMPERE if name == "flash_attention_2" else attention.capability() == attention.HOPPER
            if found is not None and usable:
                names.append(found)
            else:
                yield Check(name, True, "not there: " + ("; ".join(reasons) or "this GPU has no kernel of it"))
    bound, wanted = BETWEEN_ATTENTIONS[bench.dtype], packed_pass(bench, "sdpa")
    for name in names:
        apart = max(map(relative_norm, packed_pass(bench, name), wanted))
        yield Check(name, apart <= bound, f"differs from sdpa on packed rows by {apart:.1e} of the norm, expected at most {bound:.0e}")


def packed_pass(bench: Bench, name: str) -> list[Any]:
    """Logits of two packed rows, and the gradient of the embeddings by their sum of squares."""
    import dsft

    model = load(bench, name)
    length, vocabulary = min(bench.length, 512), bench.sizes["vocab_size"]
    parts = [[length // 2, length - length // 2], [length]]
    rows = [{"input_ids": [(7 * n + 3 * row) % vocabulary for n in range(length)], "seq_lengths": parts[row]} for row in range(2)]
    batch = dsft.packed_collator(name, 1)(rows)
    ids, positions = (batch[each].to(bench.device) for each in ("input_ids", "position_ids"))
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits.float().reshape(2 * length, vocabulary)
    logits.square().mean().backward()
    return [logits.detach(), model.get_input_embeddings().weight.grad.float()]


def load(bench: Bench, name: str) -> Any:
    import attention
    import torch
    from transformers import AutoModelForCausalLM

    attention.use_baked_kernels()
    dtype: Any = getattr(torch, bench.dtype)
    model: Any = AutoModelForCausalLM.from_pretrained(bench.folder / "base", dtype=dtype, attn_implementation=name)
    return model.to(bench.device)


def pairs(bench: Bench) -> Check:
    """Log-probabilities of answers in rows that share their prompts, as dDPO has them, against those of each answer by itself."""
    import pair_attention
    import torch
    from pair_batches import pair_batch
    from pair_logps import pair_logps

    device = torch.device(bench.device)
    rows: list[Any] = [
        {name: [(start + 3 * n) % 200 + 2 for n in range(length)] for name, length in lengths.items()}
        for start, lengths in enumerate([{"prompt_ids": 40, "chosen_ids": 9, "rejected_ids": 25}, {"prompt_ids": 7, "chosen_ids": 30, "rejected_ids": 1}])
    ]  # fmt: skip
    model, wanted = load(bench, "sdpa"), []
    with torch.no_grad():
        for answer in ANSWERS:
            for row in rows:
                ids = torch.tensor([row["prompt_ids"] + row[answer]], device=device)
                logps = model(input_ids=ids, use_cache=False).logits.float().log_softmax(-1)[0, :-1]
                wanted.append(logps.gather(1, ids[0, 1:, None])[len(row["prompt_ids"]) - 1 :].sum())
        found = torch.cat(pair_logps(model, pair_batch(rows, device)))
    # beyond what a model says that knows nothing, which would hide a token that sees what it must not
    chance = -math.log(bench.sizes["vocab_size"]) * torch.tensor([len(row[answer]) for answer in ANSWERS for row in rows], device=device)
    apart, bound = relative_norm(found - chance, torch.stack(wanted) - chance), BETWEEN_ATTENTIONS[bench.dtype]
    kernel = pair_attention.kernel(bench.device, bench.dtype)
    return Check("pairs", apart <= bound, f"{kernel}: differs from answers by themselves by {apart:.1e} of the norm, expected at most {bound:.0e}")


def ranks_sum(bench: Bench) -> Check:
    folder = bench.folder / "sum"
    folder.mkdir()
    code = supervised(folder, bench.ranks, [sys.executable, str(CODE / "self_check.py"), "--all-reduce", "--device", bench.device])
    lines = [line for line in read(folder / "log.txt").splitlines() if line.startswith("all-reduce: ")]
    words = lines[-1].removeprefix("all-reduce: ") if lines else (read(folder / "log.txt").splitlines() or ["it said nothing"])[-1]
    return Check("all-reduce", code == 0 and bool(lines), words)


def all_reduce() -> int:
    """What a rank runs for `ranks_sum`."""
    import torch
    import torch.distributed as distributed

    cuda = "cuda" in sys.argv
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    size, rank, numbers = distributed.get_world_size(), distributed.get_rank(), 2**26 if cuda else 2**16
    values = torch.full((numbers,), float(rank + 1), device=device)
    distributed.all_reduce(values)
    right = bool((values == size * (size + 1) / 2).all())
    distributed.barrier()
    began = time.monotonic()
    distributed.all_reduce(values)
    # the numbers are read, so that the device has done its work
    values.sum().item()
    seconds = time.monotonic() - began
    if rank == 0:
        rate = f", {4 * numbers * 2 * (size - 1) / size / seconds / 1e9:.1f} GB/s a rank" if cuda else ""
        print(f"all-reduce: the sum over {size} ranks by {'NCCL' if cuda else 'gloo'} is {'right' if right else 'wrong'}{rate}", flush=True)
    distributed.destroy_process_group()
    return 0 if right else 1


def relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b), 1e-12)


def relative_norm(found: Any, wanted: Any) -> float:
    """Of the difference, as a share of the wanted norm."""
    return float((found - wanted).norm() / wanted.norm().clamp_min(1e-12))


if __name__ == "__main__":
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")
    sys.exit(main())
