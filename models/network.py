"""Network: the contract of a pack, many networks computed as one, with a leading axis of networks."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.pack import Pack

BYTE = 256  # values
BLOCK = 2**14  # bytes that a network draws at once, at least
MOST = np.uint64(2**64 - 1)  # eight bytes


class Noise:
    """The dropout masks of an epoch, each network's drawn from its own generator, so that packing does not change them.

    A mask takes one random byte a unit, so a probability is rounded to a 256th. The bytes come from SFC64 streams that
    the networks' generators seed: on a CPU the draw of `nn.Dropout` would cost more than the layer that it follows. On
    CUDA one generator of the device draws for all networks, so that no mask travels; there packing changes the masks.

    Args:
        generators: one a network, on the CPU.
        device: where the masks are wanted.
    """

    def __init__(self, generators: Sequence[torch.Generator], device: torch.device) -> None:
        seeds = [int(torch.empty((), dtype=torch.int64).random_(generator=generator)) for generator in generators]
        self.streams = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self.device = device
        self.own = torch.Generator(device).manual_seed(hash(tuple(seeds)) % 2**63) if device.type == "cuda" else None
        self.block = torch.empty(len(generators), 0, dtype=torch.uint8)
        self.used = 0  # bytes of each network's block

    def dropout(self, x: Tensor, p: float) -> Tensor:
        """Zeroes units with probability `p` and scales the others up.

        Shape: x [nets, rows, units], and so the result
        """
        if p == 0:
            return x
        kept, scale = self.kept(x.shape, p)
        return x * kept.mul_(scale)

    def kept(self, shape: Sequence[int], p: float) -> tuple[Tensor, float]:
        """1 for units that stay when each is dropped with probability `p`, else 0; and what makes up for the dropped.

        Shape: float32 `shape`, which is [nets, ...]
        """
        dropped = round(p * BYTE)
        kept = torch.empty(shape, device=self.device)  # a product with a bool mask takes four times as long
        torch.ge(self._bytes(math.prod(shape[1:])).view(*shape), dropped, out=kept)
        return kept, BYTE / (BYTE - dropped)

    def _bytes(self, count: int) -> Tensor:
        """Random bytes, uint8 [nets, count]."""
        if self.own is not None:
            size = (len(self.streams), count)
            return torch.randint(BYTE, size, dtype=torch.uint8, device=self.device, generator=self.own)
        if self.used + count > self.block.shape[1]:
            words = max(BLOCK, count + 7) // 8
            drawn = [stream.integers(MOST, size=words, dtype=np.uint64, endpoint=True) for stream in self.streams]
            self.block = torch.from_numpy(np.stack(drawn).view(np.uint8)).to(self.device)
            self.used = 0
        self.used += count
        return self.block[:, self.used - count : self.used]


class Network(nn.Module):
    """A pack of `nets` networks of one shape; every parameter and buffer that is saved has the leading axis."""

    nets: int

    def fit(self, pack: Pack) -> None:  # most families learn nothing here
        """Learns what is not trained, as the scale of an input, from the train rows of every fold."""

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
