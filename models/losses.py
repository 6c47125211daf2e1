"""Losses of a row, and the probabilities that the same logits mean."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.config import Loss


def outputs_of(loss: Loss, classes: int) -> int:
    """How many logits a row has."""
    if loss is Loss.BINARY and classes != 2:
        raise ValueError(f"the binary loss takes two classes, but got {classes=}")
    return 1 if loss is Loss.BINARY else classes


def row_losses(loss: Loss, logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The loss of every row.

    Cross-entropy is the log-softmax followed by the negative log-likelihood, in one step. Smoothing spreads its share
    of the target over all classes (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567).

    Shape: logits [..., outputs], target int64 [...], result [...]
    """
    if loss is Loss.BINARY:
        wanted = target.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits.squeeze(-1), wanted, reduction="none")
    flat = functional.cross_entropy(
        logits.flatten(0, -2), target.flatten(), reduction="none", label_smoothing=label_smoothing
    )
    return flat.view(target.shape)


def probabilities(loss: Loss, logits: Tensor) -> Tensor:
    """What the logits mean, summing to 1 a row.

    Shape: logits [..., outputs], result [..., classes]
    """
    if loss is Loss.BINARY:
        second = torch.sigmoid(logits)
        return torch.cat([1 - second, second], dim=-1)
    return torch.softmax(logits, dim=-1)
