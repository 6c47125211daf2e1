"""Optimizers by name, the course of the learning rate, and the clipping of each network's gradient."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from models.config import Config, Optimizer, Schedule
from models.network import Network

DECAY = 0.25  # share of all steps in which the trapezoid falls


class _Uncompiled(torch.optim.Optimizer):
    """An optimizer that never asks for torch's compiler, whose import takes seconds and which nothing here uses."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """A step by the gradients as they are."""
        return inspect.unwrap(super().step.__func__)(self, closure)  # type: ignore[attr-defined]


class _SGD(_Uncompiled, torch.optim.SGD): ...


class _Adam(_Uncompiled, torch.optim.Adam): ...


class _AdamW(_Uncompiled, torch.optim.AdamW): ...


class _RMSprop(_Uncompiled, torch.optim.RMSprop): ...


class _Adagrad(_Uncompiled, torch.optim.Adagrad): ...


class _SparseAdam(_Uncompiled, torch.optim.SparseAdam): ...


class FoldOptimizer:
    """The optimizers of those folds' networks that take as many steps an epoch.

    Args:
        config: of the training.
        network: the whole pack.
        nets: the networks of these folds.
        fold: the first of these folds.
        steps: of an epoch.
    """

    def __init__(self, config: Config, network: Network, nets: slice, fold: int, steps: int) -> None:
        self.config, self.nets, self.fold, self.steps = config, nets, fold, steps
        self.views: list[tuple[nn.Parameter, Tensor]] = []  # of a part of the pack; none where it is the whole
        if nets.stop - nets.start < network.nets:
            self.views = [(each, each.detach()[nets]) for each in network.parameters()]
        parts = {id(each): view for each, view in self.views}
        self.optimizers = build_optimizers(config, network, parts or None)

    def step(self, place: int, epoch: int) -> None:
        """Takes a step by the gradients of the pack.

        Args:
            place: of the step in its epoch, from 0.
            epoch: from 0.
        """
        for parameter, view in self.views:
            view.grad = None if parameter.grad is None else _of_nets(parameter.grad, self.nets)
        rate = rate_at(self.config, epoch * self.steps + place, self.steps * self.config.epochs)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            optimizer.step()


def fold_optimizers(config: Config, network: Network, steps: Sequence[int]) -> list[FoldOptimizer]:
    """The optimizers of a pack, one for neighbouring folds of as many steps an epoch.

    Args:
        config: of the training.
        network: the pack.
        steps: of an epoch, of each fold.
    """
    members, found, fold = network.nets // len(steps), [], 0
    for own, folds in groupby(steps):
        end = fold + len(list(folds))
        found.append(FoldOptimizer(config, network, slice(fold * members, end * members), fold, own))
        fold = end
    return found


def _of_nets(gradient: Tensor, nets: slice) -> Tensor:
    """The gradient of some networks of a pack."""
    if not gradient.is_sparse:
        return gradient[nets]
    return gradient.index_select(0, torch.arange(nets.start, nets.stop, device=gradient.device))


def build_optimizers(
    config: Config, network: Network, parts: Mapping[int, Tensor] | None = None
) -> list[torch.optim.Optimizer]:
    """The optimizer of torch of that name, and SparseAdam for parameters whose gradient is sparse.

    All of them work number by number, so packed networks do not meet in them. Each group of parameters has a `share`
    of the learning rate.

    Args:
        config: of the training.
        network: the pack.
        parts: what stands for each of its parameters, by the `id` of that; None: they themselves do.
    """
    parts = {id(each): each for each in network.parameters()} if parts is None else parts
    sparse, slow = network.sparse_parameters(), network.slow_parameters()
    apart = {id(each) for each in (*sparse, *slow)}
    dense = [parts[id(each)] for each in network.parameters() if id(each) not in apart]
    groups: list[dict[str, Any]] = [{"params": dense, "share": 1.0}]
    if slow:
        groups.append({"params": [parts[id(each)] for each in slow], "share": network.slow_rate})
    found = [_dense(config, groups)]
    if sparse:
        learned = [parts[id(each)] for each in sparse]
        found.append(_SparseAdam([{"params": learned, "share": network.sparse_rate}], lr=config.lr))
    return found


def _dense(config: Config, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    lr, decay = config.lr, config.weight_decay
    match config.optimizer:
        case Optimizer.SGD:
            return _SGD(parameters, lr=lr, momentum=config.momentum, weight_decay=decay, fused=True)
        case Optimizer.ADAM:
            return _Adam(parameters, lr=lr, weight_decay=decay, fused=True)
        case Optimizer.ADAMW:
            return _AdamW(parameters, lr=lr, weight_decay=decay, fused=True)
        case Optimizer.RMSPROP:
            return _RMSprop(parameters, lr=lr, momentum=config.momentum, weight_decay=decay)
        case Optimizer.ADAGRAD:
            return _Adagrad(parameters, lr=lr, weight_decay=decay)


def rate_at(config: Config, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0: a linear rise over the warm-up, then the schedule."""
    warm = round(config.warmup * steps)
    if step < warm:
        return config.lr * (step + 1) / warm
    match config.schedule:
        case Schedule.CONSTANT:
            return config.lr
        case Schedule.COSINE:
            return config.lr * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2
        case Schedule.TRAPEZOID:
            return config.lr * min(1.0, (steps - step) / (DECAY * steps))


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], greatest: float) -> None:
    """Scales each network's gradient down to the norm `greatest`, as if it were alone (Pascanu et al., 2013).

    Sparse gradients are left alone.

    Shape: parameters [nets, ...]
    """
    dense = [each.grad for each in parameters if each.grad is not None and not each.grad.is_sparse]
    gradients = [gradient.flatten(1) for gradient in dense]
    norm = torch.stack([gradient.square().sum(1) for gradient in gradients]).sum(0).sqrt()  # [nets]
    scale = (greatest / norm.clamp_min(1e-12)).clamp_max(1.0).unsqueeze(1)
    for gradient in gradients:
        gradient.mul_(scale)
