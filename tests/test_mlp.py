"""The packed MLP computes what separate networks compute, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.columns import Columns
from models.mlp import Activation, MLPConfig
from models.network import Noise
from models.summary import summarize, text_of
from models.training import generators_of

NETS, ROWS, COLUMNS, OUTPUTS = 3, 5, 4, 2
TORCHS = {
    Activation.RELU: nn.ReLU,
    Activation.GELU: nn.GELU,
    Activation.SILU: nn.SiLU,
    Activation.TANH: nn.Tanh,
    Activation.SIGMOID: nn.Sigmoid,
}


def form(columns=COLUMNS, cardinalities=()) -> Columns:
    return Columns(numbers=columns - len(cardinalities), cardinalities=cardinalities)


def build(config, columns=COLUMNS, cardinalities=()):
    return config.build(form(columns, cardinalities), OUTPUTS, generators_of(0, 0, NETS))


def separate(network, net: int, activation: Activation) -> nn.Sequential:
    """One network of the pack, in torch's own layers."""
    layers: list[nn.Module] = []
    for packed in [*network.hidden, network.output]:
        linear = nn.Linear(*packed.weight.shape[1:])
        linear.weight.data = packed.weight.data[net].T.clone()
        linear.bias.data = packed.bias.data[net, 0].clone()
        layers += [linear, TORCHS[activation]()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("activation", list(Activation))
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_every_network_of_the_pack_is_an_mlp_of_torchs_layers(activation, depth):
    network = build(MLPConfig(width=6, depth=depth, activation=activation))
    x = torch.randn(NETS, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    logits = network(x)
    logits.square().sum().backward()
    assert logits.shape == (NETS, ROWS, OUTPUTS)
    for net in range(NETS):
        alone = separate(network, net, activation)
        found = alone(x[net])
        torch.testing.assert_close(found, logits[net])
        found.square().sum().backward()
        torch.testing.assert_close(alone[0].weight.grad.T, [*network.hidden, network.output][0].weight.grad[net])


def test_embedded_codes_are_looked_up_in_each_networks_own_table():
    network = build(MLPConfig(width=6, depth=1, embedding=2), columns=3, cardinalities=(4, 3))
    x = torch.tensor([[0.5, 3, 2], [0.5, 0, 0]]).expand(NETS, 2, 3)
    embedded = network.embedding(x)
    assert embedded.shape == (NETS, 2, 1 + 2 * 2)
    table = network.embedding.table
    for net in range(NETS):
        torch.testing.assert_close(embedded[net, 0], torch.cat([torch.tensor([0.5]), table[net, 3], table[net, 4 + 2]]))
        torch.testing.assert_close(embedded[net, 1], torch.cat([torch.tensor([0.5]), table[net, 0], table[net, 4]]))
    network(x).sum().backward()
    assert (table.grad[:, [0, 3, 4, 6]].abs().sum(dim=2) > 0).all()
    assert (table.grad[:, [1, 2, 5]] == 0).all()


def test_members_start_apart_and_a_seed_starts_them_the_same():
    first, again = build(MLPConfig()), build(MLPConfig())
    weight = first.output.weight
    assert torch.equal(weight, again.output.weight)
    assert not torch.equal(weight[0], weight[1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p):
    noise = Noise(generators_of(0, 0, 2), torch.device("cpu"))
    kept = noise.dropout(torch.ones(2, 400, 500), p)
    assert (kept == 0).float().mean() == pytest.approx(p, abs=0.005)
    assert kept.mean() == pytest.approx(1, abs=0.02)
    assert not torch.equal(kept[0], kept[1])


def test_dropout_of_a_network_is_the_same_alone_and_packed():
    packed = Noise(generators_of(3, 1, 4), torch.device("cpu"))
    alone = Noise(generators_of(3, 1, 4)[2:3], torch.device("cpu"))
    for units in (7, 700, 70_000, 9):
        x = torch.ones(4, 3, units)
        torch.testing.assert_close(packed.dropout(x, 0.4)[2:3], alone.dropout(x[:1], 0.4))


def test_the_summary_tells_layers_shapes_and_parameters():
    network = build(MLPConfig(width=6, depth=2, embedding=2), columns=3, cardinalities=(4, 3))
    lines = summarize(network, form(3, (4, 3)), rows=ROWS)
    assert [(line.layer, line.shape, line.parameters) for line in lines] == [
        ("embedding PackedEmbedding", (NETS, ROWS, 5), 7 * 2),
        ("hidden.0 PackedLinear", (NETS, ROWS, 6), 5 * 6 + 6),
        ("hidden.1 PackedLinear", (NETS, ROWS, 6), 6 * 6 + 6),
        ("output PackedLinear", (NETS, ROWS, OUTPUTS), 6 * 2 + 2),
    ]
    total = sum(parameter.numel() for parameter in network.parameters())
    assert f"{NETS} networks: {total:,} parameters" in text_of(lines, NETS)
    assert text_of(lines, NETS).splitlines()[2].split() == ["embedding", "PackedEmbedding", "[3,", "5,", "5]", "14"]
