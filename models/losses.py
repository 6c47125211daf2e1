"""Losses of a row, and the predictions that the same outputs mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from models.config import Loss

OF_NUMBERS: dict[Loss, Callable[..., Tensor]] = {
    Loss.SQUARED: functional.mse_loss,
    Loss.ABSOLUTE: functional.l1_loss,
    Loss.HUBER: functional.huber_loss,
}


def row_losses(loss: Loss, outputs: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The loss of every row.

    Cross-entropy is the log-softmax followed by the negative log-likelihood, in one step. Smoothing spreads its share
    of the target over all classes (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567).

    Shape: outputs [..., outputs]; target int64 [...] of classes, float32 [...] of a number, else float32
    [..., outputs]; result [...]
    """
    if loss is Loss.CROSS_ENTROPY:
        flat = functional.cross_entropy(
            outputs.flatten(0, -2), target.flatten(), reduction="none", label_smoothing=label_smoothing
        )
        return flat.view(target.shape)
    if loss is Loss.DIVERGENCE:
        logs = torch.log_softmax(outputs, dim=-1)
        return functional.kl_div(logs, target, reduction="none").sum(dim=-1)
    if loss.is_of_numbers:
        return OF_NUMBERS[loss](outputs, target.unsqueeze(-1), reduction="none").mean(dim=-1)
    wanted = target.unsqueeze(-1) if loss is Loss.BINARY else target
    wanted = wanted.to(outputs.dtype) * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none").mean(dim=-1)


def predictions(loss: Loss, outputs: Tensor) -> Tensor:
    """What the outputs mean: probabilities, which sum to 1 a row but of flags; numbers as they are.

    Shape: outputs [..., outputs], result [..., columns]
    """
    if loss is Loss.BINARY:
        second = torch.sigmoid(outputs)
        return torch.cat([1 - second, second], dim=-1)
    if loss is Loss.MULTILABEL:
        return torch.sigmoid(outputs)
    return outputs if loss.is_of_numbers else torch.softmax(outputs, dim=-1)
