"""Weights that a model ties are written once, and a config says that they are tied only where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def without_ties(model: PreTrainedModel, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """
    Without the tensors that loading makes from another one. `save_pretrained` leaves them out only as long as both share
    their memory, which a change of dtype, or gathering from several ranks, ends.
    """
    return {name: tensor for name, tensor in weights.items() if model.all_tied_weights_keys.get(name) not in weights}


def mark_untied(model: PreTrainedModel) -> None:
    """Readers other than transformers would tie what the config calls tied, whatever the files hold."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    if model.config.tie_word_embeddings and None not in ends and ends[0].weight is not ends[1].weight:
        model.config.tie_word_embeddings = False
