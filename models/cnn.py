"""CNN: the config of convolutional networks over images: plain ones, and ones of inception or residual blocks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from models.config import MOST_DROPOUT, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from models.network import Network
    from models.pack import Form


class Body(StrEnum):
    """What follows each convolution and its pooling."""

    LENET = "lenet"  # nothing (LeCun et al., 1998)
    INCEPTION = "inception"  # four branches side by side (Szegedy et al., 2015)
    RESIDUAL = "residual"  # two convolutions whose result is added (He et al., 2016)


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

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> Network:
        """See `Config.networks`."""
        from models.cnn_network import CNN

        return CNN(self, form, outputs, generators)
