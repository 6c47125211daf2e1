"""Optimizers by name, the course of the rate, and clipping a network at a time."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from models.config import Optimizer, Schedule
from models.mlp import MLPConfig
from models.network import Network
from models.optimizers import build_optimizers, clip_gradients, rate_at

CONFIG = MLPConfig(lr=0.1, warmup=0.1, weight_decay=0.01, momentum=0.8)
TORCHS = {
    Optimizer.SGD: (torch.optim.SGD, {"momentum": 0.8}),
    Optimizer.ADAM: (torch.optim.Adam, {}),
    Optimizer.ADAMW: (torch.optim.AdamW, {}),
    Optimizer.RMSPROP: (torch.optim.RMSprop, {"momentum": 0.8}),
    Optimizer.ADAGRAD: (torch.optim.Adagrad, {}),
}


class Bare(Network):
    """A network of one parameter, and maybe of a sparse one."""

    sparse_rate = 0.5

    def __init__(self, parameter: nn.Parameter, sparse: nn.Parameter | None = None) -> None:
        super().__init__()
        self.parameter, self.sparse = parameter, sparse

    def sparse_parameters(self) -> list[nn.Parameter]:
        return [] if self.sparse is None else [self.sparse]

    def forward(self, input, noise=None):
        raise NotImplementedError


@pytest.mark.parametrize("optimizer", Optimizer)
def test_a_training_imports_no_compiler(optimizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # an import of it fails
    network = Bare(nn.Parameter(torch.ones(1, 2)), nn.Parameter(torch.ones(1, 3, 2)))
    for each in build_optimizers(replace(CONFIG, optimizer=optimizer), network):
        for group in each.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
                if parameter is network.sparse:
                    parameter.grad = parameter.grad.to_sparse(2)
        each.step()
        each.load_state_dict(each.state_dict())
    assert (network.parameter < 1).all()


def test_parameters_of_a_sparse_gradient_have_an_optimizer_and_a_rate_of_their_own():
    network = Bare(nn.Parameter(torch.zeros(1, 2)), nn.Parameter(torch.zeros(1, 3, 2)))
    dense, sparse = build_optimizers(CONFIG, network)
    assert isinstance(sparse, torch.optim.SparseAdam)
    held = [[parameter for group in each.param_groups for parameter in group["params"]] for each in (dense, sparse)]
    assert [len(each) for each in held] == [1, 1]
    assert held[0][0] is network.parameter
    assert held[1][0] is network.sparse
    assert [each.param_groups[0]["share"] for each in (dense, sparse)] == [1.0, 0.5]


@pytest.mark.parametrize("name", list(Optimizer))
def test_a_step_is_the_step_of_torchs_own_optimizer(name):
    family, options = TORCHS[name]
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 6).view(2, 3)) for _ in range(2))
    pair = [
        (ours, *build_optimizers(replace(CONFIG, optimizer=name), Bare(ours))),
        (theirs, family([theirs], lr=0.1, weight_decay=0.01, **options)),
    ]
    for _ in range(5):
        for parameter, optimizer in pair:
            optimizer.zero_grad()
            (parameter**4).sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)
    assert ours.abs().sum() < 4.2  # it went down


def test_the_rate_rises_and_falls_as_scheduled():
    cosine = [rate_at(CONFIG, step, 100) for step in range(100)]
    assert cosine[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
    assert cosine[10] == pytest.approx(0.1)
    assert cosine[55] == pytest.approx(0.05)
    assert cosine[99] < 0.0001
    assert all(later < earlier for earlier, later in pairwise(cosine[10:]))
    constant = replace(CONFIG, schedule=Schedule.CONSTANT)
    assert {rate_at(constant, step, 100) for step in range(10, 100)} == {0.1}
    assert rate_at(replace(CONFIG, warmup=0.0), 0, 100) == 0.1


def test_each_network_is_clipped_as_if_it_were_alone():
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 4, 5), (3, 1, 5)]
    gradients = [torch.randn(shape, generator=generator) * torch.tensor([0.01, 1, 9]).view(3, 1, 1) for shape in shapes]
    packed = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
    for parameter, gradient in zip(packed, gradients, strict=True):
        parameter.grad = gradient.clone()
    clip_gradients(packed, 1.5)
    for net in range(3):
        alone = [nn.Parameter(torch.zeros(shape[1:])) for shape in shapes]
        for parameter, gradient in zip(alone, gradients, strict=True):
            parameter.grad = gradient[net].clone()
        nn.utils.clip_grad_norm_(alone, 1.5)
        for parameter, single in zip(packed, alone, strict=True):
            torch.testing.assert_close(parameter.grad[net], single.grad, rtol=1e-5, atol=1e-6)
