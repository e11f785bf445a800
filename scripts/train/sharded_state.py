"""
Weights and moments of a full fine-tune, divided over the ranks.

They are written by torch.distributed.checkpoint: each rank writes what it holds (of what all hold, a part) to a file of its
own, and any number of ranks reads it again, sharded or not. Reading unpickles: files must have been verified before.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkpoint import SHARDS
from job import RANK
from one_head import without_ties

if TYPE_CHECKING:
    from torch import Tensor, dtype
    from torch.distributed import ProcessGroup
    from torch.optim import Optimizer
    from transformers import PreTrainedModel

# weights and moments by name
State = dict[str, Any]


def state_of(model: PreTrainedModel, optimizer: Optimizer) -> State:
    """What this rank holds, not copied."""
    from torch.distributed.checkpoint.state_dict import get_state_dict

    weights, moments = get_state_dict(model, bare(optimizer))
    return {"model": weights, "optimizer": moments}


def copied(state: State) -> State:
    """A copy in the memory of the host, which training does not change. Torch's own stagers fail at shares on a CPU."""
    import torch
    from torch.utils._pytree import tree_map_only

    copy: State = tree_map_only(torch.Tensor, lambda tensor: tensor.detach().to("cpu", copy=True), state)
    return copy


def write(folder: Path, state: State, group: ProcessGroup | None) -> None:
    """All ranks must call it. `.metadata` repeats the path as given: relative to the job folder it tells nothing of the machine."""
    from torch.distributed.checkpoint.state_dict_saver import save

    with plain_errors():
        save(state, checkpoint_id=os.path.relpath(folder / SHARDS), process_group=group)


def read_weights(folder: Path, model: PreTrainedModel, group: ProcessGroup | None) -> None:
    from torch.distributed.checkpoint.state_dict import get_model_state_dict, set_model_state_dict
    from torch.distributed.checkpoint.state_dict_loader import load

    weights = get_model_state_dict(model)
    with plain_errors():
        load({"model": weights}, checkpoint_id=folder / SHARDS, process_group=group)
    set_model_state_dict(model, weights)


def read_moments(folder: Path, model: PreTrainedModel, optimizer: Optimizer, group: ProcessGroup | None) -> None:
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
    from torch.distributed.checkpoint.state_dict_loader import load

    # makes empty moments to read into
    moments = get_optimizer_state_dict(model, bare(optimizer))
    with plain_errors():
        load({"optimizer": moments}, checkpoint_id=folder / SHARDS, process_group=group)
    set_optimizer_state_dict(model, bare(optimizer), moments)


def whole_weights(model: PreTrainedModel, dtype: dtype) -> dict[str, Tensor]:
    """
    On rank 0 all weights in `dtype`, in the memory of the host; nothing elsewhere. One parameter after the other is gathered, so
    that beside this result no rank holds more than one of them. Every rank must call it.
    """
    from torch.distributed.tensor import DTensor

    weights = {}
    for name, tensor in without_ties(model, model.state_dict()).items():
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if RANK == 0:
            weights[name] = whole.to("cpu", dtype if whole.is_floating_point() else whole.dtype)
    return weights


def bare(optimizer: Any) -> Optimizer:
    """accelerate's wrapper holds the first step of an optimizer back, with which its moments are made."""
    found: Optimizer = getattr(optimizer, "optimizer", optimizer)
    return found


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """What went wrong on any rank, as an exception: torch's own is none that `except Exception` would see."""
    from torch.distributed.checkpoint.api import CheckpointException

    # a job of one process has no process group, which is no reason to warn
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")
    try:
        yield
    except CheckpointException as error:
        raise RuntimeError(f"cannot write or read shards: {error}") from error
