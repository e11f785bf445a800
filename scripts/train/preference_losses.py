"""The losses of direct preference optimization and its relatives, one number for each pair, as TRL 1.13 defines them by name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import logsigmoid

if TYPE_CHECKING:
    from torch import Tensor
    from trl import DPOConfig


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a loss is made of, [N] each: sums of log-probabilities of policy and reference, and lengths of the answers in tokens."""

    chosen_logps: Tensor
    rejected_logps: Tensor
    ref_chosen_logps: Tensor
    ref_rejected_logps: Tensor
    chosen_lengths: Tensor
    rejected_lengths: Tensor

    @property
    def chosen_ratio(self) -> Tensor:
        return self.chosen_logps - self.ref_chosen_logps

    @property
    def rejected_ratio(self) -> Tensor:
        return self.rejected_logps - self.ref_rejected_logps


@dataclasses.dataclass(frozen=True)
class Measured:
    """Scores as a loss sees them: log-ratios under the chosen divergence, times nothing yet."""

    scores: Scores
    chosen: Tensor
    rejected: Tensor
    args: DPOConfig

    @property
    def margin(self) -> Tensor:
        """[N] beta times the difference between chosen and rejected: the logit of "the chosen one is better"."""
        return self.args.beta * (self.chosen - self.rejected)

    @property
    def margin_by_token(self) -> Tensor:
        """[N] the same difference, of means over the tokens of an answer, without beta."""
        scores = self.scores
        return self.chosen / scores.chosen_lengths.clamp(min=1) - self.rejected / scores.rejected_lengths.clamp(min=1)

    def rewards(self) -> tuple[Tensor, Tensor]:
        return self.args.beta * self.scores.chosen_ratio, self.args.beta * self.scores.rejected_ratio


def pair_losses(scores: Scores, args: DPOConfig) -> Tensor:
    """[N] the loss of each pair, several of them summed with their weights; its mean is the loss of a batch."""
    measured = Measured(scores, divergence(scores.chosen_ratio, args), divergence(scores.rejected_ratio, args), args)
    weights = args.loss_weights or [1.0] * len(args.loss_type)
    losses = [LOSSES[name](measured) * weight for name, weight in zip(args.loss_type, weights, strict=True)]
    return torch.stack(losses).sum(0)


def divergence(ratio: Tensor, args: DPOConfig) -> Tensor:
    """f'(t) of the log-ratio log t, as in Wang et al. 2023 (Beyond Reverse KL), table 1."""
    kind = args.f_divergence_type
    if kind == "reverse_kl":
        return ratio
    if kind == "forward_kl":
        return 1 - torch.exp(-ratio)
    if kind == "js_divergence":
        return math.log(2) + logsigmoid(ratio)
    if kind == "alpha_divergence":
        power = args.f_alpha_divergence_coef - 1
        # the limit is the logarithm; above 80 the exponential leaves float32
        return ratio if abs(power) < 1e-6 else (torch.exp(torch.clamp(power * ratio, max=80)) - 1) / power
    raise ValueError(f"unknown f_divergence_type {kind}")


def sigmoid(m: Measured) -> Tensor:
    return -logsigmoid(m.margin)


def hinge(m: Measured) -> Tensor:
    return torch.relu(1 - m.margin)


def ipo(m: Measured) -> Tensor:
    return (m.margin_by_token - 1 / (2 * m.args.beta)) ** 2


def exo_pair(m: Measured) -> Tensor:
    smoothing = torch.tensor(m.args.label_smoothing, device=m.chosen.device)
    better = torch.sigmoid(m.margin) * (logsigmoid(m.margin) - torch.log1p(-smoothing))
    return better + torch.sigmoid(-m.margin) * (logsigmoid(-m.margin) - torch.log(smoothing))


def nca_pair(m: Measured) -> Tensor:
    chosen, rejected = m.rewards()
    return -logsigmoid(chosen) - 0.5 * logsigmoid(-chosen) - 0.5 * logsigmoid(-rejected)


def robust(m: Measured) -> Tensor:
    smoothing = m.args.label_smoothing
    return (-(1 - smoothing) * logsigmoid(m.margin) + smoothing * logsigmoid(-m.margin)) / (1 - 2 * smoothing)


def bco_pair(m: Measured) -> Tensor:
    chosen, rejected = m.rewards()
    return -logsigmoid(chosen) - logsigmoid(-rejected)


def sppo_hard(m: Measured) -> Tensor:
    half = 0.5 / m.args.beta
    return (m.scores.chosen_ratio - half) ** 2 + (m.scores.rejected_ratio + half) ** 2


def smoothed(difference: Tensor, args: DPOConfig) -> Tensor:
    difference = args.beta * difference
    return -logsigmoid(difference) * (1 - args.label_smoothing) - logsigmoid(-difference) * args.label_smoothing


def aot(m: Measured) -> Tensor:
    of_policy = m.scores.chosen_logps - m.scores.rejected_logps
    of_reference = m.scores.ref_chosen_logps - m.scores.ref_rejected_logps
    return smoothed(of_policy.sort().values - of_reference.sort().values, m.args)


def aot_unpaired(m: Measured) -> Tensor:
    return smoothed(m.scores.chosen_ratio.sort().values - m.scores.rejected_ratio.sort().values, m.args)


def apo_zero(m: Measured) -> Tensor:
    chosen, rejected = m.rewards()
    return 1 - torch.sigmoid(chosen) + torch.sigmoid(rejected)


def apo_down(m: Measured) -> Tensor:
    chosen, rejected = m.rewards()
    return torch.sigmoid(chosen) + 1 - torch.sigmoid(chosen - rejected)


def discopop(m: Measured) -> Tensor:
    blend = torch.sigmoid(m.margin / m.args.discopop_tau)
    return -logsigmoid(m.margin) * (1 - blend) + torch.exp(-m.margin) * blend


def sigmoid_norm(m: Measured) -> Tensor:
    return -logsigmoid(m.args.beta * m.margin_by_token)


LOSSES: dict[str, Callable[[Measured], Tensor]] = {
    "sigmoid": sigmoid, "hinge": hinge, "ipo": ipo, "robust": robust, "exo_pair": exo_pair, "nca_pair": nca_pair, "bco_pair": bco_pair,
    "sppo_hard": sppo_hard, "aot": aot, "aot_unpaired": aot_unpaired, "apo_zero": apo_zero, "apo_down": apo_down, "discopop": discopop,
    "sigmoid_norm": sigmoid_norm,
}  # fmt: skip
# These sort the pairs of a micro batch, so that it matters which pairs are in it.
SORTING = {"aot", "aot_unpaired"}
