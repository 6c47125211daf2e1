"""Summary: the layers of a pack, their output shapes and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.network import Network
from models.pack import Form

SIZE = "(W - F + 2P)/S + 1"  # see `models.convolution.output_size`


@dataclass(frozen=True, kw_only=True)
class Line:
    """One layer."""

    layer: str
    shape: tuple[int, ...]  # of its output: [nets, ..., units]
    parameters: int  # of one network
    arithmetic: str = ""  # how its size came to be, where the layer says so


def summarize(network: Network, form: Form, rows: int = 1) -> list[Line]:
    """Sends an example of so many rows through, and notes every layer in the order of its computation."""
    lines: list[Line] = []

    def note(name: str, layer: nn.Module, output: Tensor) -> None:
        parameters = sum(tensor.numel() for tensor in layer.parameters()) // network.nets
        lines.append(
            Line(
                layer=f"{name} {type(layer).__name__}",
                shape=tuple(output.shape),
                parameters=parameters,
                arithmetic=getattr(layer, "arithmetic", ""),
            )
        )

    hooks = [
        layer.register_forward_hook(lambda layer, _, output, name=name: note(name, layer, output))
        for name, layer in network.named_modules()
        if name and all(isinstance(child, nn.ParameterList) for child in layer.children())
    ]
    try:
        with torch.no_grad():
            network(form.example(network.nets, rows).to(next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return lines


def text_of(lines: list[Line], nets: int) -> str:
    """A summary as a table of text, with the totals last."""
    cells = [("layer", "output [nets, ..., units]", SIZE, "parameters a network")]
    cells += [(line.layer, str(list(line.shape)), line.arithmetic, f"{line.parameters:,}") for line in lines]
    own = sum(line.parameters for line in lines)
    cells.append(("total", f"{nets} networks: {own * nets:,} parameters", "", f"{own:,}"))
    columns = [column for column in zip(*cells, strict=True) if any(column[1:])]  # sizes, if layers say some
    *left, last = [[f"{cell:<{max(map(len, column))}}" for cell in column] for column in columns]
    right = [f"{cell.strip():>{len(cell)}}" for cell in last]
    rows = ["  ".join(row) for row in zip(*left, right, strict=True)]
    rule = "-" * len(rows[0])
    return "\n".join([rows[0], rule, *rows[1:-1], rule, rows[-1]])
