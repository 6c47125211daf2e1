"""Optimizers by name, the course of the learning rate, and the clipping of each network's gradient."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

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


def build_optimizers(config: Config, network: Network) -> list[torch.optim.Optimizer]:
    """The optimizer of torch of that name, and SparseAdam for parameters whose gradient is sparse.

    All of them work number by number, so packed networks do not meet in them. Each group of parameters has a `share`
    of the learning rate.
    """
    sparse, slow = network.sparse_parameters(), network.slow_parameters()
    apart = {id(each) for each in (*sparse, *slow)}
    groups = [{"params": [each for each in network.parameters() if id(each) not in apart], "share": 1.0}]
    if slow:
        groups.append({"params": slow, "share": network.slow_rate})
    found = [_dense(config, groups)]
    if sparse:
        found.append(_SparseAdam([{"params": sparse, "share": network.sparse_rate}], lr=config.lr))
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
