"""The peak memory of one rank in training steps, simulated by torch itself: no memory is taken and no other rank runs.

    python test/train/memory_simulation.py < cases.json

Tensors are fake (shapes without bytes), the process group is fake (one rank of a world without the others); model, sharding,
loss and optimizer are those that the programs train with. A dispatch mode counts the bytes of each storage while it is alive.
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "train"))
from pair_attention import use_pair_attention
from pair_batches import pair_batch, token_budget
from pair_logps import causal_model, scoring_head

Json = dict[str, Any]


class StorageTracker(TorchDispatchMode):
    """Bytes of all storages that are alive, and the most that there were at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes: dict[int, int] = {}
        # DTensor works out shapes on whole tensors that no rank ever holds; they are not counted
        self.only_shapes = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.only_shapes:
            tree_map_only(torch.Tensor, self.count, result)
        return result

    def count(self, tensor: torch.Tensor) -> None:
        if isinstance(tensor, DTensor):
            tensor = tensor._local_tensor
        storage = tensor.untyped_storage()
        if id(storage) in self.sizes:
            return
        self.sizes[id(storage)] = 0
        weakref.finalize(storage, self.drop, id(storage))
        self.resize(storage)

    def resize(self, storage: torch.UntypedStorage) -> None:
        if id(storage) in self.sizes:
            self.now += storage.size() - self.sizes[id(storage)]
            self.sizes[id(storage)] = storage.size()
            self.peak = max(self.peak, self.now)

    def drop(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


@contextlib.contextmanager
def tracked(tracker: StorageTracker) -> Iterator[None]:
    """Counts what is made and freed within, FSDP's way of freeing by a resize included."""
    resize, propagate = torch.UntypedStorage.resize_, ShardingPropagator._propagate_tensor_meta_non_cached

    def resized(storage: torch.UntypedStorage, size: int) -> Any:
        result = resize(storage, size)
        tracker.resize(storage)
        return result

    def unseen(*args: Any, **kwargs: Any) -> Any:
        before, tracker.only_shapes = tracker.only_shapes, True
        try:
            return propagate(*args, **kwargs)
        finally:
            tracker.only_shapes = before

    torch.UntypedStorage.resize_ = resized  # type: ignore[method-assign]
    ShardingPropagator._propagate_tensor_meta_non_cached = unseen  # type: ignore[method-assign]
    try:
        with tracker:
            yield
    finally:
        torch.UntypedStorage.resize_ = resize  # type: ignore[method-assign]
        ShardingPropagator._propagate_tensor_meta_non_cached = propagate  # type: ignore[method-assign]


def made_model(case: Json, trained: bool) -> Any:
    """A Mistral of the case's shape without any bytes, with adapters where the case has them."""
    from transformers import AutoModelForCausalLM, MistralConfig

    shape = case["shape"]
    config = MistralConfig(
        hidden_size=shape["hidden"], intermediate_size=shape["intermediate"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], num_key_value_heads=shape["kvHeads"], vocab_size=shape["vocab"],
        max_position_embeddings=32768, sliding_window=None, tie_word_embeddings=shape["tied"], attn_implementation=case["attention"],
    )  # fmt: skip
    adapted = case["lora"] is not None
    with torch.device("meta"):
        # as load_model holds them: a base, and a reference that is sharded, in the dtype of the products
        narrow = adapted or (not trained and case["sharding"] == "fsdp2")
        dtype = torch.bfloat16 if narrow and case["dtype"] == "bfloat16" else torch.float32
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
        if adapted:
            from peft import LoraConfig, get_peft_model

            lora = LoraConfig(r=case["lora"]["r"], lora_alpha=16, lora_dropout=0.05, target_modules=case["lora"]["targets"], task_type="CAUSAL_LM")
            model = get_peft_model(model, lora)
    if trained and case["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if not trained:
        model.requires_grad_(False)
    return model.train(trained)


def on_cpu(model: Any) -> None:
    """Gives a model on the device meta tensors of the device cpu, fake ones in a fake mode; tied weights stay tied."""
    made: dict[int, torch.Tensor] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    whole = torch.zeros(tensor.shape, dtype=tensor.dtype)
                    made[id(tensor)] = torch.nn.Parameter(whole, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else whole
                tensors[name] = made[id(tensor)]


def shard(model: Any, mesh: DeviceMesh, bf16: bool) -> None:
    from transformers.distributed.configuration_utils import DistributedConfig
    from transformers.distributed.fsdp import apply_fully_sharded_data_parallelism

    model.config.distributed_config = DistributedConfig(fsdp_size=mesh.size(), fsdp_mixed_precision=bf16)
    apply_fully_sharded_data_parallelism(model, mesh)


def token_loss(model: Any, case: Json) -> torch.Tensor:
    """TRL's loss by pieces; its own loop asks how many tokens count, which a fake tensor cannot say: here all do."""
    from trl.trainer import sft_trainer

    ids = torch.zeros(case["rows"], case["length"], dtype=torch.long)
    labels = ids[:, 1:].reshape(-1)
    # as TRL patches it: within `forward` FSDP gathers the head's weight, and DDP sees which gradients come
    patched = causal_model(model)
    head = patched.get_output_embeddings()
    size = sft_trainer._CHUNKED_LM_HEAD_CHUNK_SIZE

    def forward(input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        hidden = patched.model(input_ids=input_ids, use_cache=False).last_hidden_state
        hidden = hidden[:, :-1].reshape(-1, hidden.shape[-1])[torch.arange(labels.shape[0])]
        loss = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, labels.shape[0], size):
            loss = loss + torch.utils.checkpoint.checkpoint(
                sft_trainer._chunk, hidden[start : start + size], head.weight, None, labels[start : start + size], 1.0, None, use_reentrant=False
            )[0]  # fmt: skip
        return loss

    patched.forward = forward
    return model(ids)


def pair_loss(model: Any, references: list[Any], case: Json) -> torch.Tensor:
    """
    The sigmoid loss of dDPO on as many tokens as one micro batch may have. `token_scores` itself compares addresses, which a fake
    tensor has none of: what it does around that is done here.
    """
    size = max(token_budget(case["rows"], case["length"]), 2 * case["length"]) // case["rows"]
    # the last token of an answer takes up no place; short prompts leave most tokens to be scored
    answer = size * 7 // 16 + 1
    pair = {"prompt_ids": [0] * (size + 2 - 2 * answer), "chosen_ids": [0] * answer, "rejected_ids": [0] * answer}
    batch = pair_batch([pair] * case["rows"])

    def sums(scored: Any) -> torch.Tensor:
        bare = causal_model(scored)
        use_pair_attention(bare)
        with scoring_head(bare, batch.labels, 1):
            scores = scored(
                input_ids=batch.input_ids, position_ids=batch.layout.position_ids, use_cache=False, logits_to_keep=batch.scored, layout=batch.layout
            ).logits  # fmt: skip
        parts = torch.split(scores[0, :, 0], batch.answers)
        return torch.stack([part.sum() for part in parts])

    logps = sums(model)
    for reference in references:
        with torch.no_grad():
            known = sums(reference)
        logps = logps - known
    return -torch.nn.functional.logsigmoid(0.1 * (logps[0::2] - logps[1::2])).mean()


def step_peak(case: Json) -> int:
    """Bytes at the most during the second of two optimizer steps, when the optimizer's state is there from the start."""
    tracker, mesh = StorageTracker(), init_device_mesh("cpu", (case["world"],))
    models = made_models(case)
    with FakeTensorMode(allow_non_fake_inputs=True):
        prepare_models(case, models, mesh)
        for model in models:
            for tensor in (*model.parameters(), *model.buffers()):
                tracker.count(tensor.detach())
        optimizer = made_optimizer(case, models[0])
        with tracked(tracker):
            train_step(case, models, optimizer)
            gc.collect()
            tracker.peak = tracker.now
            train_step(case, models, optimizer)
    return tracker.peak


def real_step(case: Json) -> int:
    """Bytes of this process above its start at the most, in two steps with tensors that take memory, in a group of real ranks."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = most_bytes()
    models = made_models(case)
    prepare_models(case, models, init_device_mesh("cpu", (case["world"],)))
    if case["sharding"] == "none" and case["world"] > 1:
        models[0] = torch.nn.parallel.DistributedDataParallel(models[0])
    optimizer = made_optimizer(case, models[0])
    for _ in range(2):
        train_step(case, models, optimizer)
    return most_bytes() - before


def most_bytes() -> int:
    """The most memory of this process since its record was cleared."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def made_models(case: Json) -> list[Any]:
    """The model that is trained, and the reference where one is held."""
    return [made_model(case, trained=True), *([made_model(case, trained=False)] if case["reference"] == "online" else [])]


def prepare_models(case: Json, models: list[Any], mesh: DeviceMesh) -> None:
    for model in models:
        on_cpu(model)
        if case["sharding"] == "fsdp2":
            shard(model, mesh, case["dtype"] == "bfloat16")


def made_optimizer(case: Json, model: Any) -> torch.optim.Optimizer:
    fused = case["optimizer"] == "adamw_torch_fused"
    return torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-5, foreach=not fused, fused=fused)


def train_step(case: Json, models: list[Any], optimizer: torch.optim.Optimizer) -> None:
    model, *references = models
    # accelerate's autocast is around the model's forward pass; sharded weights are cast by their policy instead
    casts = case["dtype"] == "bfloat16" and case["sharding"] == "none"
    for _ in range(case["accumulation"]):
        with torch.autocast("cpu", torch.bfloat16, enabled=casts):
            loss = pair_loss(model, references, case) if case["objective"] == "pairs" else token_loss(model, case)
        loss.backward()
        del loss
    torch.nn.utils.clip_grad_norm_([each for each in model.parameters() if each.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def main() -> None:
    from torch.testing._internal.distributed.fake_pg import FakeStore

    cases = json.load(sys.stdin)
    world = max(case["world"] for case in cases)
    torch.distributed.init_process_group("fake", rank=0, world_size=world, store=FakeStore())
    for case in cases:
        print(json.dumps({**case, "peak": step_peak(case)}), flush=True)


if __name__ == "__main__":
    main()
