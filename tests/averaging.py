"""Averaging: networks that predict with a running mean of their weights; for benches."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from models.network import Network, Noise
from models.pack import Pack

HORIZON = 200  # steps that the mean of weights looks back
EVERY = 4  # steps


class Averaging(Network):
    """Put before a family: trains as that does; a pass without noise takes the mean weights.

    Polyak and Juditsky, 1992.
    """

    def fit(self, pack: Pack) -> None:
        super().fit(pack)
        self.steps = 0
        for name, value in self.named_parameters():
            self.register_buffer(self._mean_of(name), value.detach().clone())

    @staticmethod
    def _mean_of(name: str) -> str:
        return "mean_" + name.replace(".", "_")

    def forward(self, input: Any, noise: Noise | None = None) -> Tensor:
        if noise is not None:
            self.steps += 1
            for name, value in self.named_parameters():
                if self.steps % EVERY == 0:
                    self.get_buffer(self._mean_of(name)).lerp_(value.detach(), EVERY / HORIZON)
            return super().forward(input, noise)  # type: ignore[safe-super]
        means = {name: self.get_buffer(self._mean_of(name)) for name, _ in self.named_parameters()}
        return functional_call(_Plain(self), {f"network.{name}": mean for name, mean in means.items()}, (input,))


class _Plain(nn.Module):
    """The family's own pass, whatever pass the network takes instead."""

    def __init__(self, network: Averaging) -> None:
        super().__init__()
        self.network = network

    def forward(self, input: Any) -> Tensor:
        return super(Averaging, self.network).forward(input)  # type: ignore[safe-super]
