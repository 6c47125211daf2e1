"""Network: the contract of a pack, many networks computed as one, with a leading axis of networks."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.keeping import State, part, prefixed
from models.pack import Pack
from models.prior import Prior
from models.scale import Scale

BYTE = 256  # values
MASKS = 4  # that a block holds
MOST = np.uint64(2**64 - 1)  # eight bytes


class Noise:
    """The dropout masks of an epoch, each network's drawn from its own generator, so that packing does not change them.

    Drawing a mask for every step costs a fifth of an epoch on a CPU, and `nn.Dropout`'s own draw more than the layer
    that it follows. So a block of some masks' size is drawn once an epoch, and a mask is a window of it that starts
    anywhere: the same number falls on other units and rows in every step. A number takes one random byte, so a
    probability is rounded to a 256th. On CUDA one generator of the device draws for all networks.

    Args:
        generators: one a network, on the CPU.
        device: where the masks are wanted.
        batch: rows of a mask that is drawn; where fewer are asked for, they get the first, so that a network draws the
            same beside one of larger batches.
    """

    def __init__(self, generators: Sequence[torch.Generator], device: torch.device, batch: int = 1) -> None:
        seeds = [int(torch.empty((), dtype=torch.int64).random_(generator=generator)) for generator in generators]
        self.streams = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self.device, self.batch = device, batch
        self.own = torch.Generator(device).manual_seed(hash(tuple(seeds)) % 2**63) if device.type == "cuda" else None
        self.windows = np.random.default_rng(0)  # the same for all networks: what differs is in the blocks
        self.blocks: dict[int, Tensor] = {}  # by the dropped 256ths

    def dropout(self, x: Tensor, p: float) -> Tensor:
        """Zeroes units with probability `p` and scales the others up.

        Shape: x [nets, rows, units], and so the result
        """
        if p == 0:
            return x
        return x * self.kept(x.shape, p)[0]

    def kept(self, shape: Sequence[int], p: float) -> tuple[Tensor, float]:
        """0 for units that are dropped, each with probability `p`, and for the others the scale that makes up for them.

        Shape: the first, float32, is `shape`, which is [nets, ...], and a view that must not be written to; the second
        is the scale
        """
        dropped, count = round(p * BYTE), math.prod(shape[1:])
        most = max(self.batch, shape[1]) * math.prod(shape[2:])
        scale = BYTE / (BYTE - dropped)
        block = self.blocks.get(dropped)
        if block is None or block.shape[1] < 2 * most:
            numbers = self._bytes(MASKS * most)
            block = self.blocks[dropped] = torch.empty(numbers.shape, device=self.device)
            torch.ge(numbers, dropped, out=block)  # float32: a product with a bool mask takes four times as long
            block.mul_(scale)
        start = int(self.windows.integers(block.shape[1] - most, endpoint=True))
        return block[:, start : start + count].unflatten(1, shape[1:]), scale

    def whole_numbers(self, shape: Sequence[int], count: int) -> Tensor:
        """From 0 to below `count`, which is small beside 256, for bytes are not shared out quite evenly.

        Shape: int64 `shape`, which is [nets, ...]
        """
        drawn = self._bytes(max(self.batch, shape[1]) * math.prod(shape[2:]))[:, : math.prod(shape[1:])]
        return drawn.long().remainder_(count).view(*shape)

    def _bytes(self, count: int) -> Tensor:
        """Random bytes, uint8 [nets, count]."""
        if self.own is not None:
            size = (len(self.streams), count)
            return torch.randint(BYTE, size, dtype=torch.uint8, device=self.device, generator=self.own)
        drawn = [stream.integers(MOST, size=-(-count // 8), dtype=np.uint64, endpoint=True) for stream in self.streams]
        return torch.from_numpy(np.stack(drawn).view(np.uint8))[:, :count]

    def state(self) -> State:
        """All that the next mask depends on."""
        drawn = {str(place): _written(stream) for place, stream in enumerate((self.windows, *self.streams))}
        own = {} if self.own is None else {"own": self.own.get_state()}
        blocks = {str(dropped): block for dropped, block in self.blocks.items()}
        return {**prefixed("drawn", drawn), **own, **prefixed("blocks", blocks)}

    def restore(self, state: State) -> None:
        """Goes back to a state; an empty one changes nothing."""
        for place, written in part("drawn", state).items():
            stream = (self.windows, *self.streams)[int(place)]
            stream.bit_generator.state = json.loads(bytes(written.tolist()))
        if self.own is not None and "own" in state:
            self.own.set_state(state["own"].cpu())
        self.blocks = {int(dropped): block.to(self.device) for dropped, block in part("blocks", state).items()}


def _written(stream: np.random.Generator) -> Tensor:
    """The state of a stream as bytes of JSON, uint8."""
    written = json.dumps(stream.bit_generator.state, default=np.ndarray.tolist)
    return torch.tensor(list(written.encode()), dtype=torch.uint8)


class Network(nn.Module):
    """A pack of `nets` networks of one shape; every parameter and buffer that is saved has the leading axis."""

    nets: int
    sparse_rate: float = 1.0  # the learning rate of `sparse_parameters`, as a share of the others'
    slow_rate: float = 1.0  # that of `slow_parameters`
    numbers_of_row: int = 0  # that its largest layer makes of a row of a table; 0: few

    def __init__(self) -> None:
        super().__init__()
        self.target_scale: Scale | None = None  # of the numbers that are predicted; None: of probabilities
        self.prior: Prior | None = None  # of rows that count as often as they stand; None: as the networks learned them

    def sparse_parameters(self) -> list[nn.Parameter]:
        """Those whose gradient is sparse, since a batch uses a few of their vectors only."""
        return []

    def fit(self, pack: Pack) -> None:  # most families learn nothing here
        """Learns what is not trained, as the scale of an input, from the train rows of every fold.

        Called once, before the training; inputs that no fold uses may be left out, with their weights.
        """

    def settle(self, state: State) -> None:
        """Goes to a state of such a network that was taken after `fit`, which may have left inputs out."""
        self.load_state_dict(state)

    def slow_parameters(self) -> list[nn.Parameter]:
        """Those, of a dense gradient, that learn at `slow_rate`, as they were trained elsewhere."""
        return []

    @property
    def products(self) -> int:
        """Of a weight and a number, for a row of every network, where each weight is used once a row."""
        return sum(parameter.numel() for parameter in self.parameters())

    @abstractmethod
    def forward(self, input: Any, noise: Noise | None = None) -> Tensor:
        """Logits.

        Args:
            input: of a family's form: float32 [nets, rows, columns] of tables, or `models.tokens.Texts`.
            noise: the dropout masks while training; None when predicting.

        Shape: [nets, rows, outputs]
        """


def drawn_uniform(generators: Sequence[torch.Generator], bound: float, *shape: int) -> nn.Parameter:
    """A parameter [nets, *shape], uniform in [-bound, bound], each network's part from its own generator."""
    parameter = torch.empty(len(generators), *shape)
    for own, generator in zip(parameter, generators, strict=True):
        own.uniform_(-bound, bound, generator=generator)
    return nn.Parameter(parameter)
