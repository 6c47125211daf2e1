"""Shifts: images moved by some pixels at random, anew in every batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.network import Noise


def shifted(x: Tensor, most: int, noise: Noise) -> Tensor:
    """Moves each image along both sides; nothing comes in where it leaves.

    Args:
        x: float32 [nets, rows, height, width, channels].
        most: pixels, either way.
        noise: that draws how many.

    Returns:
        As x.
    """
    nets, rows, height, width, channels = x.shape
    wide = functional.pad(x, (0, 0, most, most, most, most))
    moved = noise.whole_numbers((nets, rows, 2, 1), 2 * most + 1)  # from 0, so that `most` moves nothing
    down, right = (torch.arange(side, device=x.device) + moved[:, :, axis] for axis, side in enumerate((height, width)))
    at = down.unsqueeze(3) * wide.shape[3] + right.unsqueeze(2)  # [nets, rows, height, width]
    at = at.flatten(2).unsqueeze(3).expand(-1, -1, -1, channels)
    return wide.flatten(2, 3).gather(2, at).view(x.shape)
