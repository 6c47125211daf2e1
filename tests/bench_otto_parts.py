"""What was tried on Otto and did not pay, kept so that it can be measured again: no part of the product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from torch import Tensor, nn

from models.columns import ColumnPack, Columns
from models.layers import PackedLinear
from models.mlp import MLPConfig
from models.mlp_network import MLP
from models.network import Noise, drawn_uniform
from models.pack import Form, Pack
from tests.averaging import Averaging


class Scaled(TransformerMixin, BaseEstimator):
    """Columns through a function of theirs, then standardised."""

    def __init__(self, columns: Sequence[str], function) -> None:
        self.columns = columns
        self.function = function

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Scaled:
        self.scaler_ = StandardScaler().fit(self.function(rows[self.columns].to_numpy(dtype=float)))
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        values = self.scaler_.transform(self.function(rows[self.columns].to_numpy(dtype=float)))
        return rows.assign(**dict(zip(self.columns, values.T, strict=True)))


def anscombe(x: np.ndarray) -> np.ndarray:
    """The square root that evens out the variance of Poisson counts (Anscombe, 1948)."""
    return 2 * np.sqrt(x + 3 / 8)


def signed_power(x: np.ndarray) -> np.ndarray:
    """sign(x) |x|^.6."""
    return np.sign(x) * np.abs(x) ** 0.6


class Quantiles(TransformerMixin, BaseEstimator):
    """Columns to the normal quantiles of their ranks."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Quantiles:
        self.transformer_ = QuantileTransformer(output_distribution="normal", random_state=0)
        self.transformer_.fit(rows[self.columns].to_numpy(dtype=float))
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        values = self.transformer_.transform(rows[self.columns].to_numpy(dtype=float))
        return rows.assign(**dict(zip(self.columns, values.T, strict=True)))


@dataclass(frozen=True, kw_only=True)
class TabMConfig(MLPConfig):
    """Members of a fold that share their weights and differ by adapters (Gorishniy et al., 2025)."""

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> MLP:
        assert isinstance(form, Columns)
        return TabM(self, form, outputs, generators)


class TabM(MLP):
    """Every layer's weight is the fold's; its input and output are scaled by vectors of the member's own."""

    def __init__(self, config: TabMConfig, form: Columns, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__(config, form, outputs, generators)
        self.groups = self.nets // config.members
        inside = sum(self.expansion.widths) if self.expansion is not None else form.columns
        widths = [inside, *[config.width] * config.depth]
        first = generators[:: config.members]
        self.shared = nn.ParameterList(drawn_uniform(first, 1 / math.sqrt(a), a, b) for a, b in pairwise(widths))
        signs = torch.stack([torch.randint(0, 2, (1, inside), generator=each) * 2.0 - 1 for each in generators])
        ones = [torch.ones(self.nets, 1, width) for width in widths[1:-1]]
        self.scale_in = nn.ParameterList([nn.Parameter(each) for each in (signs, *ones)])
        self.scale_out = nn.ParameterList(nn.Parameter(torch.ones(self.nets, 1, width)) for width in widths[1:])
        self.bias = nn.ParameterList(drawn_uniform(generators, 1 / math.sqrt(a), 1, b) for a, b in pairwise(widths))
        self.hidden = nn.ModuleList()

    def fit(self, pack: Pack) -> None:
        if self.expansion is not None:
            assert isinstance(pack, ColumnPack)
            kept = self.expansion.fit(pack)
            self.shared[0] = nn.Parameter(self.shared[0].detach()[:, kept])
            self.scale_in[0] = nn.Parameter(self.scale_in[0].detach()[:, :, kept])

    def forward(self, input: Tensor, noise: Noise | None = None) -> Tensor:
        x = self._first(input)
        if noise is not None:
            x = noise.dropout(x, self.config.input_dropout)
        nets, rows, _ = x.shape
        parts = zip(self.shared, self.scale_in, self.scale_out, self.bias, strict=True)
        for weight, scale_in, scale_out, bias in parts:
            packed = (x * scale_in).reshape(self.groups, -1, x.shape[2])
            x = torch.relu(torch.bmm(packed, weight).view(nets, rows, -1) * scale_out + bias)
            if noise is not None:
                x = noise.dropout(x, self.config.dropout)
        return self.output(x)


@dataclass(frozen=True, kw_only=True)
class PeriodicConfig(MLPConfig):
    """Numbers through sines of learned frequencies (Gorishniy et al., 2022)."""

    frequencies: int = 8  # of a number
    spread: float = 0.3  # of the frequencies at the start

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> MLP:
        assert isinstance(form, Columns)
        return Periodic(self, form, outputs, generators)


class Periodic(MLP):
    """[sine and cosine of every frequency, the number itself,] then an MLP."""

    def __init__(self, config: PeriodicConfig, form: Columns, outputs: int, generators) -> None:
        super().__init__(config, form, outputs, generators)
        columns = form.columns
        drawn = [torch.randn(1, columns, config.frequencies, generator=each) for each in generators]
        self.frequencies = nn.Parameter(config.spread * torch.stack(drawn))
        inside = columns * (1 + 2 * config.frequencies)
        self.hidden[0] = PackedLinear(inside, config.width, generators)

    def _first(self, input: Tensor) -> Tensor:
        angle = (2 * math.pi * input.unsqueeze(3) * self.frequencies).flatten(2)
        return torch.cat([input, angle.sin(), angle.cos()], dim=2)


@dataclass(frozen=True, kw_only=True)
class AveragedConfig(MLPConfig):
    """Predicts with a running mean of its weights (Polyak and Juditsky, 1992)."""

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> MLP:
        assert isinstance(form, Columns)
        return Averaged(self, form, outputs, generators)


class Averaged(Averaging, MLP):
    """See `Averaging`."""
