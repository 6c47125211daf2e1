"""Scans: recurrent cells over all networks, directions and rows at once, with their way back written out.

Every scan takes what the input adds to each gate (`gates`, float32 [nets, tokens, rows, gates x units]) and the bias,
and gives the states, float32 [nets, tokens, rows, units]. The state before the first token is zero. Autograd would keep
and walk some ten operations a token; here a token costs one product and a few passes over numbers still in the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


class RNNScan(torch.autograd.Function):
    """h = tanh(gate + bias + h' weight) (Elman, 1990).

    Shape: weight [nets, units, units], bias [nets, 1, units]
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Computes."""
        states = torch.empty_like(gates)
        for token in range(gates.shape[1]):
            own, given = states[:, token], gates[:, token]
            added = torch.baddbmm(bias, states[:, token - 1], weight) if token else bias
            torch.add(given, added, out=own).tanh_()
        ctx.save_for_backward(states, weight)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the last token to the first."""
        states, weight = ctx.saved_tensors
        of_gates = torch.empty_like(states)
        passed = gradient[:, -1]
        for token in range(states.shape[1] - 1, -1, -1):
            own = of_gates[:, token]
            tanh_backward(passed, states[:, token], grad_input=own)
            if token:
                passed = torch.baddbmm(gradient[:, token - 1], own, weight.transpose(1, 2))
        return of_gates, _of_weight(states, of_gates), _of_bias(of_gates)


class LSTMScan(torch.autograd.Function):
    """The gates are i, f, o and g, in this order, so that one pass bends the first three.

    c = f c' + i g, h = o tanh(c) (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    Shape: weight [nets, units, 4 x units], bias [nets, 1, 4 x units]
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Computes."""
        nets, tokens, rows, width = gates.shape
        units = width // 4
        states, cells, bent = (gates.new_empty(nets, tokens, rows, units) for _ in range(3))
        bends = torch.empty_like(gates)
        for token in range(tokens):
            own = bends[:, token]
            added = torch.baddbmm(bias, states[:, token - 1], weight) if token else bias
            torch.add(gates[:, token], added, out=own)
            own[..., : 3 * units].sigmoid_()
            own[..., 3 * units :].tanh_()
            i, f, o, g = own.split(units, dim=2)
            cell = torch.mul(i, g, out=cells[:, token])
            if token:
                cell.addcmul_(f, cells[:, token - 1])
            torch.tanh(cell, out=bent[:, token])
            torch.mul(o, bent[:, token], out=states[:, token])
        ctx.save_for_backward(bends, cells, bent, states, weight)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the last token to the first."""
        bends, cells, bent, states, weight = ctx.saved_tensors
        units = states.shape[3]
        of_gates = torch.empty_like(bends)
        passed, of_cell = gradient[:, -1], torch.zeros_like(states[:, 0])
        for token in range(states.shape[1] - 1, -1, -1):
            i, f, o, g = bends[:, token].split(units, dim=2)
            of_i, of_f, of_o, of_g = of_gates[:, token].split(units, dim=2)
            torch.mul(passed, bent[:, token], out=of_o)
            of_cell += torch.ops.aten.tanh_backward(passed * o, bent[:, token])
            torch.mul(of_cell, g, out=of_i)
            if token:
                torch.mul(of_cell, cells[:, token - 1], out=of_f)
            else:
                of_f.zero_()
            tanh_backward(torch.mul(of_cell, i), g, grad_input=of_g)
            of_bent = of_gates[:, token, :, : 3 * units]
            sigmoid_backward(of_bent, bends[:, token, :, : 3 * units], grad_input=of_bent)
            if token:
                of_cell.mul_(f)
                passed = torch.baddbmm(gradient[:, token - 1], of_gates[:, token], weight.transpose(1, 2))
        return of_gates, _of_weight(states, of_gates), _of_bias(of_gates)


class GRUScan(torch.autograd.Function):
    """The gates are r, z and n, in this order; the reset comes after the product, as in torch and cuDNN.

    n = tanh(gate + bias + r (h' weight + reset bias)), h = (1 - z) n + z h' (Cho et al., 2014).

    Shape: weight [nets, units, 3 x units], bias [nets, 1, 4 x units]: of r, z and n, and the reset's
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Computes."""
        nets, tokens, rows, width = gates.shape
        units = width // 3
        states, held = (gates.new_empty(nets, tokens, rows, units) for _ in range(2))
        bends = torch.empty_like(gates)
        of_n = bias[..., 2 * units : 3 * units]
        outside = torch.cat([bias[..., : 2 * units], bias[..., 3 * units :]], dim=2)  # of what the state adds
        for token in range(tokens):
            own, given = bends[:, token], gates[:, token]
            added = torch.baddbmm(outside, states[:, token - 1], weight) if token else outside.expand(-1, rows, -1)
            torch.add(given[..., : 2 * units], added[..., : 2 * units], out=own[..., : 2 * units]).sigmoid_()
            held[:, token] = added[..., 2 * units :]
            r, z, n = own.split(units, dim=2)
            torch.addcmul(of_n, r, held[:, token], out=n).add_(given[..., 2 * units :]).tanh_()
            if token:
                torch.lerp(n, states[:, token - 1], z, out=states[:, token])
            else:
                torch.addcmul(n, n, z, value=-1, out=states[:, 0])
        ctx.save_for_backward(bends, held, states, weight)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the last token to the first."""
        bends, held, states, weight = ctx.saved_tensors
        units = states.shape[3]
        of_gates, of_product = torch.empty_like(bends), torch.empty_like(bends)
        passed = gradient[:, -1]
        for token in range(states.shape[1] - 1, -1, -1):
            r, z, n = bends[:, token].split(units, dim=2)
            of_r, of_z, of_n = of_gates[:, token].split(units, dim=2)
            if token:
                torch.sub(states[:, token - 1], n, out=of_z).mul_(passed)
            else:
                torch.mul(passed, n, out=of_z).neg_()
            tanh_backward(torch.addcmul(passed, passed, z, value=-1), n, grad_input=of_n)
            torch.mul(of_n, held[:, token], out=of_r)
            of_bent = of_gates[:, token, :, : 2 * units]
            sigmoid_backward(of_bent, bends[:, token, :, : 2 * units], grad_input=of_bent)
            of_product[:, token, :, : 2 * units] = of_bent
            torch.mul(of_n, r, out=of_product[:, token, :, 2 * units :])
            if token:
                before = torch.addcmul(gradient[:, token - 1], passed, z)
                passed = torch.baddbmm(before, of_product[:, token], weight.transpose(1, 2))
        of_bias = torch.cat([_of_bias(of_gates), _of_bias(of_product[..., 2 * units :])], dim=2)
        return of_gates, _of_weight(states, of_product), of_bias


def _of_weight(states: Tensor, of_product: Tensor) -> Tensor:
    """The weight's gradient: each state times the gradient of the product that the next token made of it.

    Shape: states [nets, tokens, rows, units], of_product [nets, tokens, rows, width], result [nets, units, width]
    """
    return torch.bmm(states[:, :-1].flatten(1, 2).transpose(1, 2), of_product[:, 1:].flatten(1, 2))


def _of_bias(of_gates: Tensor) -> Tensor:
    """The bias's gradient, [nets, 1, width]."""
    return of_gates.sum(dim=(1, 2)).unsqueeze(1)
