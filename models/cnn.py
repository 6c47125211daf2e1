"""CNN: convolutional networks over images, packed: plain ones, and ones of inception or residual blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from data.errors import UsageError
from models.columns import Columns
from models.config import Config
from models.convolution import GreatestPool, Image, MeanPool, PackedConvolution, Windowed
from models.layers import MOST_DROPOUT, PackedLinear
from models.network import Network, Noise
from models.pack import Form
from models.shifts import shifted

POOL = 2  # pixels, along either side, of which the greatest is left


class Body(StrEnum):
    """What follows each convolution and its pooling."""

    LENET = "lenet"  # nothing (LeCun et al., 1998)
    INCEPTION = "inception"  # four branches side by side (Szegedy et al., 2015)
    RESIDUAL = "residual"  # two convolutions whose result is added (He et al., 2016)


CHANNELS = {Body.LENET: (10, 20), Body.INCEPTION: (10, 20), Body.RESIDUAL: (16, 32)}


@dataclass(frozen=True, kw_only=True)
class CNNConfig(Config):
    """Images, whose pixels are the columns of a table: channel by channel, and each row by row.

    A stage is a convolution, a pooling, a bend and perhaps a block; a linear layer follows the last. As they are, the
    fields make the networks of 28 x 28 pixels that courses of PyTorch begin with; small images want a kernel of 3 and
    a padding of 1.
    """

    image: tuple[int, int, int] = (1, 28, 28)  # channels, height, width
    body: Body = Body.LENET
    channels: tuple[int, ...] = ()  # that each stage's convolution makes; (): two stages, as is usual for the body
    kernel: int = 5  # of each stage's convolution
    padding: int = 0  # pixels of nothing around what it takes
    dropout: float = 0.0  # of what the linear layer takes
    shift: int = 0  # most pixels that an image is moved by in training, either way along both sides

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.body, Body):
            raise ValueError(f"takes a Body, but got body={self.body!r}")
        for name in ("image", "channels"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or any(type(each) is not int or each < 1 for each in value):
                raise ValueError(f"takes a tuple of whole numbers of 1 or more, but got {name}={value!r}")
        if len(self.image) != len(("channels", "height", "width")):
            raise ValueError(f"takes channels, height and width, but got {self.image=}")
        for name, least in (("kernel", 1), ("padding", 0), ("shift", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"takes {name} of {least} or more, but got {name}={getattr(self, name)}")
        if not 0 <= self.dropout <= MOST_DROPOUT:
            raise ValueError(f"takes dropout from 0 to {MOST_DROPOUT}, but got dropout={self.dropout}")

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> CNN:
        """See `Config.networks`."""
        if not isinstance(form, Columns) or form.cardinalities:
            raise UsageError("a CNNConfig takes tables of pixels: give the candidate a recipe of features.images")
        if form.numbers != math.prod(self.image):
            told = " x ".join(map(str, self.image))
            raise UsageError(
                f"an image of {told} is {math.prod(self.image):,} pixels, but the recipe makes {form.numbers:,}"
                " columns: say image=(channels, height, width)"
            )
        return CNN(self, outputs, generators)


class CNN(Network):
    """Stages, then linear."""

    def __init__(self, config: CNNConfig, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.nets, self.config = len(generators), config
        self.stages = nn.ModuleList()
        image = config.image
        for number, channels in enumerate(config.channels or CHANNELS[config.body]):
            try:
                stage = Stage(config, image, channels, generators)
            except ValueError as error:
                raise UsageError(f"stages.{number}: {error}: take a smaller kernel or more padding") from error
            self.stages.append(stage)
            image = stage.image
        self.output = PackedLinear(math.prod(image), outputs, generators)
        made = [math.prod(each.image) for each in self.modules() if isinstance(each, Windowed | Inception)]
        self.numbers_of_row = max(math.prod(config.image), *made)

    @property
    def products(self) -> int:
        """See `Network.products`: a weight of a convolution meets many pixels."""
        convolutions = [each.products for each in self.modules() if isinstance(each, PackedConvolution)]
        return sum(convolutions) + self.output.weight.numel()

    def forward(self, input: Tensor, noise: Noise | None = None) -> Tensor:
        """See `Network.forward`."""
        x = input.unflatten(2, self.config.image).permute(0, 1, 3, 4, 2)  # [nets, rows, height, width, channels]
        if noise is not None and self.config.shift:
            x = shifted(x, self.config.shift, noise)
        for stage in self.stages:
            x = stage(x)
        x = x.flatten(2)
        return self.output(x if noise is None else noise.dropout(x, self.config.dropout))


class Stage(nn.Module):
    """A convolution, the greatest of each window of what it makes, rectified, and a block.

    Shape: [nets, rows, height, width, channels] to the same, and so of the blocks

    Attributes:
        image: that it makes.

    Raises:
        ValueError: the image is too small.
    """

    def __init__(self, config: CNNConfig, image: Image, channels: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.convolution = PackedConvolution(image, channels, config.kernel, config.padding, generators)
        self.pool = GreatestPool(self.convolution.image, POOL)
        made = BLOCKS[config.body]
        self.block = None if made is None else made(self.pool.image, generators)
        self.image: Image = self.pool.image if self.block is None else self.block.image

    def forward(self, x: Tensor) -> Tensor:
        """Computes."""
        x = self.pool(self.convolution(x)).relu_()
        return x if self.block is None else self.block(x)


class Inception(nn.Module):
    """Windows of several sizes side by side, without a bend between them; the image keeps its height and width."""

    def __init__(self, image: Image, generators: Sequence[torch.Generator]) -> None:
        super().__init__()

        def branch(*layers: tuple[int, int], pool: MeanPool | None = None) -> nn.Sequential:
            made: list[Windowed] = [] if pool is None else [pool]
            for channels, kernel in layers:
                before = made[-1].image if made else image
                made.append(PackedConvolution(before, channels, kernel, kernel // 2, generators))
            return nn.Sequential(*made)

        pooled = branch((24, 1), pool=MeanPool(image, 3))
        self.branches = nn.ModuleList(
            [pooled, branch((16, 1)), branch((16, 1), (24, 5)), branch((16, 1), (24, 3), (24, 3))]
        )
        self.image: Image = (24 + 16 + 24 + 24, *image[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Computes."""
        return torch.cat([branch(x) for branch in self.branches], dim=4)


class Residual(nn.Module):
    """Two convolutions, whose result is added to what they took; the image keeps its size."""

    def __init__(self, image: Image, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.first, self.second = (PackedConvolution(image, image[0], 3, 1, generators) for _ in range(2))
        self.image = image

    def forward(self, x: Tensor) -> Tensor:
        """Computes."""
        return (x + self.second(self.first(x).relu_())).relu_()


BLOCKS: dict[Body, type[Inception] | type[Residual] | None] = {
    Body.LENET: None,
    Body.INCEPTION: Inception,
    Body.RESIDUAL: Residual,
}
