"""Whether the cached reference is that of the model that is trained: no digest of a dSFT model stands beside its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exits import BAD_DATA, JobError
from pair_batches import pair_batch

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    from datasets import Dataset

# pairs that the model is asked about
PROBED = 4
# most that a log-probability may differ for each token: sums in another order, or in another type
BOUND, BOUND_BFLOAT16 = 1e-3, 5e-2


def reference_is_of_this_model(rows: Dataset) -> TrainerCallback:
    """Asks the model itself, before the first step: it is the reference there, so it must say of a pair what the pair's columns say."""
    import torch
    from pair_logps import pair_logps
    from transformers import TrainerCallback

    class ReferenceIsOfThisModel(TrainerCallback):
        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
        ) -> None:
            if state.global_step > 0:
                return
            batch = pair_batch([rows[number] for number in range(min(PROBED, len(rows)))], args.device)
            assert batch.reference is not None
            training_mode = model.training
            model.eval()
            # all ranks ask about the same pairs: each needs the others for a layer that is sharded
            with torch.no_grad(), torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
                found = torch.stack(pair_logps(model, batch), dim=1).flatten()
            model.train(training_mode)
            tokens = torch.tensor(batch.answers, device=found.device)
            off = float(((found - torch.stack(batch.reference, dim=1).flatten()).abs() / tokens).max())
            bound = BOUND_BFLOAT16 if args.bf16 else BOUND
            if not off <= bound:
                raise JobError(
                    f"Cannot train against this reference: of the first pairs it says {off:.2g} a token otherwise than the model that is "
                    f"trained, expected at most {bound:.0e}; another model said it", BAD_DATA
                )  # fmt: skip

    return ReferenceIsOfThisModel()
