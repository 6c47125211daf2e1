"""Network: the contract of a pack, many networks computed as one, with a leading axis of networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

BYTE = 256  # values
BLOCK = 2**16  # bytes that a network draws at once, at least


class Noise:
    """Dropout masks, each network's drawn from its own generator, so that packing does not change them.

    A mask takes one random byte a unit, drawn eight at a time and a block ahead, so a probability is rounded to a
    256th; on a CPU the draw of `nn.Dropout` would cost more than the layer that it follows.

    Args:
        generators: one a network, on the CPU.
        device: where the masks are wanted.
    """

    def __init__(self, generators: Sequence[torch.Generator], device: torch.device) -> None:
        self.generators = generators
        self.device = device
        self.block = torch.empty(len(generators), 0, dtype=torch.uint8)
        self.used = 0  # bytes of each network's block

    def dropout(self, x: Tensor, p: float) -> Tensor:
        """Zeroes units with probability `p` and scales the others up.

        Shape: x [nets, rows, units], and so the result
        """
        dropped = round(p * BYTE)
        if dropped == 0:
            return x
        mask = torch.empty_like(x)
        torch.ge(self._bytes(x[0].numel()).view(x.shape), dropped, out=mask)
        return x * mask.mul_(BYTE / (BYTE - dropped))

    def _bytes(self, count: int) -> Tensor:
        """Random bytes, uint8 [nets, count]."""
        if self.used + count > self.block.shape[1]:
            draws = torch.empty(len(self.generators), max(BLOCK, count + 7) // 8, dtype=torch.int64)
            for row, generator in zip(draws, self.generators, strict=True):
                row.random_(-(2**63), None, generator=generator)
            self.block = draws.view(torch.uint8).to(self.device)
            self.used = 0
        self.used += count
        return self.block[:, self.used - count : self.used]


class Network(nn.Module):
    """A pack of `nets` networks of one shape; every parameter has the leading axis."""

    nets: int

    @abstractmethod
    def forward(self, input: Tensor, noise: Noise | None = None) -> Tensor:
        """Logits.

        Args:
            input: float32 [nets, rows, columns].
            noise: the dropout masks while training; None when predicting.

        Shape: [nets, rows, outputs]
        """


def drawn_uniform(generators: Sequence[torch.Generator], bound: float, *shape: int) -> nn.Parameter:
    """A parameter [nets, *shape], uniform in [-bound, bound], each network's part from its own generator."""
    parameter = torch.empty(len(generators), *shape)
    for part, generator in zip(parameter, generators, strict=True):
        part.uniform_(-bound, bound, generator=generator)
    return nn.Parameter(parameter)
