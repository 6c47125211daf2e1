"""The networks of a `CNNConfig`, packed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from data.errors import UsageError
from models.cnn import Body, CNNConfig
from models.columns import Columns
from models.convolution import GreatestPool, Image, MeanPool, PackedConvolution, Windowed
from models.layers import PackedLinear
from models.network import Network, Noise
from models.pack import Form
from models.shifts import shifted

POOL = 2  # pixels, along either side, of which the greatest is left
CHANNELS = {Body.LENET: (10, 20), Body.INCEPTION: (10, 20), Body.RESIDUAL: (16, 32)}


class CNN(Network):
    """Stages, then linear.

    Raises:
        UsageError: the inputs are no images of the config's size, or they are too small for its stages.
    """

    def __init__(self, config: CNNConfig, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        _check_form(config, form)
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


def _check_form(config: CNNConfig, form: Form) -> None:
    if not isinstance(form, Columns) or form.cardinalities:
        raise UsageError("a CNNConfig takes tables of pixels: give the candidate a recipe of features.images")
    if form.numbers != math.prod(config.image):
        told = " x ".join(map(str, config.image))
        raise UsageError(
            f"an image of {told} is {math.prod(config.image):,} pixels, but the recipe makes {form.numbers:,}"
            " columns: say image=(channels, height, width)"
        )


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
