"""Which attention a training uses: what its recipe names, or with `auto` the fastest that is there.

`python attention.py` prints, as one line of JSON, what this interpreter can use; it is asked before any job is started.
Flash attention comes from a package (flash-attn, flash-attn-3) or from a kernel that the image's build has laid below
`sys.prefix` (environments/train/bake_kernels.py): a container has no network, so nothing can be fetched when a job starts.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import sysconfig
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exits import JobError

if TYPE_CHECKING:
    from job import Job
    from train_config import ModelConfig

AUTO = "auto"
# These keep packed documents apart by an attention mask made from the position ids: rows stay rows.
MASKED_ATTENTION = ("sdpa", "eager")
# These do so by the lengths of the documents, in a batch laid out as one long row.
FLASH_ATTENTION = (
    "flash_attention_2", "flash_attention_3", "kernels-community/flash-attn2", "kernels-community/flash-attn3",
    "kernels-community/vllm-flash-attn3",
)  # fmt: skip
# what keeps packed documents apart; `auto` takes one of these
PACKED = (AUTO, *MASKED_ATTENTION, *FLASH_ATTENTION)
# module and distribution of the package behind a name of transformers, and the kernel that does the same
PACKAGES = {
    "flash_attention_2": ("flash_attn", "flash-attn", "kernels-community/flash-attn2"),
    "flash_attention_3": ("flash_attn_interface", "flash-attn-3", "kernels-community/flash-attn3"),
}
# FlashAttention 2 asks for Ampere, 3 is written for Hopper: compute capabilities of NVIDIA's devices
AMPERE, HOPPER = 8, 9
# where a build lays the kernels, each in ORGANISATION/NAME/build/VARIANT
BAKED = Path(sys.prefix) / "kernels"


def settle(job: Job, config: ModelConfig) -> str:
    """The attention of this job, told once, for the recipe may not say which it is."""
    name = resolve(config.attention, job.hardware.device, config.dtype)
    if name != config.attention:
        job.emit("note", message=f"attention: {name}, chosen for {config.attention}")
    return name


def resolve(wanted: str, device: str, dtype: str = "bfloat16") -> str:
    """
    The attention as transformers names it. Throws `JobError` where the one that is named cannot run; `auto` never fails.
    """
    if wanted not in (AUTO, *FLASH_ATTENTION):
        return wanted
    obstacle = None
    if device != "cuda":
        obstacle = "its kernels need a GPU"
    elif dtype != "bfloat16":
        obstacle = f"its kernels do not compute in {dtype}"
    if obstacle is None:
        major = capability()
        order = ("flash_attention_3", "flash_attention_2") if major == HOPPER else ("flash_attention_2",) if major >= AMPERE else ()
        for name in order if wanted == AUTO else (wanted,):
            found, reasons = implementation(name)
            if found is not None:
                return found
            obstacle = "; ".join(reasons)
    if wanted == AUTO:
        return "sdpa"
    raise JobError(f'Cannot use the attention "{wanted}" on the device "{device}": {obstacle}; expected "auto", "sdpa" or another device')


def refuse_without_gpu(device: str) -> None:
    """
    Throws `JobError` where a job is to compute on a GPU and PyTorch sees none. A login node cannot tell that before, and
    transformers would train on the CPU of a node that was paid for its GPUs, without a word.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise JobError(f"Cannot compute on a GPU: PyTorch {torch.__version__} sees none here, expected hardware.device cpu or a PyTorch for its driver")


def capability() -> int:
    """Major compute capability of this rank's device."""
    import torch

    return torch.cuda.get_device_capability(int(os.environ.get("LOCAL_RANK", "0")))[0] if torch.cuda.is_available() else 0


def implementation(name: str) -> tuple[str | None, list[str]]:
    """What `name` is taken from here, a package before a kernel, or why it cannot be had."""
    reasons = []
    for each in (name, PACKAGES[name][2]) if name in PACKAGES else (name,):
        reason = lacks(each)
        if reason is None:
            return each, []
        reasons.append(reason)
    return None, list(dict.fromkeys(reasons))


@cache
def lacks(name: str) -> str | None:
    """Why an implementation cannot be loaded, found by loading it: one that was built for another torch is there and fails."""
    try:
        if name in PACKAGES:
            module, distribution, _ = PACKAGES[name]
            if distribution not in [found.replace("_", "-") for found in metadata.packages_distributions().get(module, [])]:
                return f"the package {distribution} is not installed"
            functions: Any = importlib.import_module(module)
        elif importlib.util.find_spec("kernels") is None:
            return "the package kernels is not installed"
        else:
            functions = load_kernel(name)
        return None if callable(getattr(functions, "flash_attn_varlen_func", None)) else f"{name} has no function for packed rows"
    except Exception as error:
        if name not in PACKAGES and f"{name}=" not in os.environ.get("LOCAL_KERNELS", ""):
            return f"the kernel {name} is not there"
        return f"{name} cannot be loaded: {' '.join(str(error).split())[:300]}"


def load_kernel(repo: str) -> Any:
    use_baked_kernels()
    from transformers.integrations.hub_kernels import get_attn_kernel_version

    # not imported by its name: the package is in images for GPUs alone
    kernels = importlib.import_module("kernels")
    return kernels.get_kernel(repo, version=get_attn_kernel_version(repo), check_arch=torch_sees_a_gpu())


def use_baked_kernels() -> None:
    """
    Tells the package `kernels` of those that the build has laid down. They are named one by one, since its cache of the Hub
    takes a kernel offline only if it has a branch of its version and all builds of it.
    """
    named = os.environ.get("LOCAL_KERNELS", "").split(":")
    baked = [f"{path.parent.name}/{path.name}={path}" for path in sorted(BAKED.glob("*/*/")) if path.is_dir()]
    os.environ["LOCAL_KERNELS"] = ":".join(each for each in dict.fromkeys([*named, *baked]) if each)
    if os.environ["LOCAL_KERNELS"] == "":
        del os.environ["LOCAL_KERNELS"]


def torch_sees_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def probe() -> dict[str, Any]:
    """What `attention.py` prints: for each flash attention null or why it is not there, the devices, and where packages lie."""
    import torch

    reasons = {name: implementation(name) for name in FLASH_ATTENTION}
    return {
        "torch": torch.__version__,
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else [],
        "lacks": {name: None if found is not None else "; ".join(why) for name, (found, why) in reasons.items()},
        # what the caller watches to know that the answer may have changed
        "paths": [sysconfig.get_path("purelib"), str(BAKED)],
    }


if __name__ == "__main__":
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    answer = probe()
    # the last line is the answer: a package may greet on standard output while it is imported
    print(json.dumps(answer), flush=True)
