"""Convolution: packed layers over images, each of which knows the size of what it makes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import drawn_uniform

Image = tuple[int, int, int]  # channels, height, width


def output_size(size: int, kernel: int, padding: int = 0, stride: int = 1) -> int:
    """Pixels that a window finds room at: O = (W - F + 2P)/S + 1, rounded down.

    Args:
        size: of the image along one side, W.
        kernel: of the window, F.
        padding: pixels of nothing on either end, P.
        stride: pixels that the window moves at once, S.

    Raises:
        ValueError: it finds no room.
    """
    room = size - kernel + 2 * padding
    if room < 0:
        raise ValueError(f"a window of {kernel} pixels finds no room in {size} with a padding of {padding}")
    return room // stride + 1


class Windowed(nn.Module):
    """A window that moves over images.

    Shape: [nets, rows, height, width, channels], the order that a CPU convolves fastest in, to the same

    Args:
        image: that it takes.
        channels: of the image that it makes.
        kernel: height and width of the window.
        padding: see `output_size`, as the next.
        stride: see there.

    Attributes:
        image: that it makes.
        arithmetic: how the height came to be, and the width where it is another.

    Raises:
        ValueError: the image is too small.
    """

    def __init__(self, image: Image, channels: int, kernel: int, padding: int = 0, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.padding, self.stride = kernel, padding, stride
        height, width = (output_size(side, kernel, padding, stride) for side in image[1:])
        self.image: Image = (channels, height, width)
        sides = dict.fromkeys(zip(image[1:], self.image[1:], strict=True))
        self.arithmetic = ", ".join(self._told(*side) for side in sides)

    def _told(self, size: int, made: int) -> str:
        rounded = ", rounded down" if (size - self.kernel + 2 * self.padding) % self.stride else ""
        return f"({size} - {self.kernel} + 2x{self.padding})/{self.stride} + 1 = {made}{rounded}"


class PackedConvolution(Windowed):
    """One convolution of every network; see `Windowed`.

    The networks take turns: one convolution of as many groups was measured slower on a CPU.
    """

    def __init__(
        self, image: Image, channels: int, kernel: int, padding: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__(image, channels, kernel, padding)
        bound = 1 / math.sqrt(image[0] * kernel**2)  # torch.nn.Conv2d's own
        self.weight = drawn_uniform(generators, bound, channels, image[0], kernel, kernel)
        self.bias = drawn_uniform(generators, bound, channels)

    @property
    def products(self) -> int:
        """Of a weight and a pixel, for a row of every network."""
        return self.weight.numel() * math.prod(self.image[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Convolves."""
        nets = zip(x.unbind(), self.weight.unbind(), self.bias.unbind(), strict=True)
        found = [functional.conv2d(_planes(own), weight, bias, padding=self.padding) for own, weight, bias in nets]
        return torch.stack([_pixels(own) for own in found])


class GreatestPool(Windowed):
    """The greatest pixel of each window (max-pooling); see `Windowed`."""

    def __init__(self, image: Image, kernel: int) -> None:
        super().__init__(image, image[0], kernel, stride=kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Pools."""
        found = functional.max_pool2d(_planes(x.flatten(0, 1)), self.kernel)
        return _pixels(found).unflatten(0, x.shape[:2])


class MeanPool(Windowed):
    """The mean of the window around each pixel, those of the padding included; see `Windowed`."""

    def __init__(self, image: Image, kernel: int) -> None:
        super().__init__(image, image[0], kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Pools."""
        found = functional.avg_pool2d(_planes(x.flatten(0, 1)), self.kernel, stride=1, padding=self.padding)
        return _pixels(found).unflatten(0, x.shape[:2])


def _planes(x: Tensor) -> Tensor:
    """[rows, height, width, channels] as torch takes it, [rows, channels, height, width], without a copy."""
    return x.permute(0, 3, 1, 2)


def _pixels(x: Tensor) -> Tensor:
    """The way back."""
    return x.permute(0, 2, 3, 1)
