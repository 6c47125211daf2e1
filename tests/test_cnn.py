"""The packed CNN computes what separate networks of torch's own layers compute, and tells the size of each layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from data.datasets import Fold, TabularDataset
from data.errors import UsageError
from data.metrics import ACCURACY
from models import training
from models.cnn import Body, CNNConfig
from models.columns import Columns
from models.convolution import Windowed, output_size
from models.crossfit import crossfit
from models.ensemble import Ensemble
from models.forms import form_of
from models.losses import predictions
from models.network import Noise
from models.shifts import shifted
from models.summary import Line, summarize, text_of
from models.tokens import Tokens
from models.training import Training, generators_of, pack_generators, predict
from pipelines.keys import config_of, settings
from tests.toy import folded

NETS, ROWS, OUTPUTS = 3, 4, 10
LARGE, SMALL = CNNConfig(), CNNConfig(image=(1, 8, 8), kernel=3, padding=1)
TINY = replace(SMALL, image=(2, 4, 6), channels=(3,), members=2, epochs=4, batch=16, lr=0.02, refit=0)
CPU = torch.device("cpu")
every_body = pytest.mark.parametrize("body", list(Body))


def build(config, nets=NETS):
    return config.build(Columns(numbers=int(np.prod(config.image))), OUTPUTS, generators_of(0, 0, nets))


def lines_of(config) -> list[Line]:
    return summarize(build(config), Columns(numbers=int(np.prod(config.image))))


def bars(rows: int = 120) -> list[Fold]:
    """Folds of two planes of noise of 4 x 6 pixels, and a bar somewhere in the first of them, upright or not."""
    generator = torch.Generator().manual_seed(0)
    planes = torch.rand(rows, 2, 4, 6, generator=generator) / 4
    target = torch.arange(rows) // 3 % 2
    for plane, upright, place in zip(planes[:, 0], target, torch.arange(rows) // 6, strict=True):
        (plane.T if upright else plane)[place % 4] += 1
    x = planes.flatten(1)
    return folded(lambda chosen: TabularDataset(input=x[chosen], target=target[chosen]), torch.arange(rows) % 3)


def torchs(layer, net: int) -> nn.Conv2d:
    outside, inside, kernel, _ = layer.weight.shape[1:]
    made = nn.Conv2d(inside, outside, kernel, padding=layer.padding)
    made.load_state_dict({"weight": layer.weight[net], "bias": layer.bias[net]})
    return made


def inception(block, net: int, x: torch.Tensor) -> torch.Tensor:
    pooled, *others = block.branches
    found = [torchs(pooled[1], net)(functional.avg_pool2d(x, 3, stride=1, padding=1))]
    for branch in others:
        made = x
        for layer in branch:
            made = torchs(layer, net)(made)
        found.append(made)
    return torch.cat(found, dim=1)


def alone(network, net: int, x: torch.Tensor) -> torch.Tensor:
    """The logits of one network of the pack, in torch's own layers and order; x [rows, channels, height, width]."""
    for stage in network.stages:
        x = functional.max_pool2d(torchs(stage.convolution, net)(x).relu(), 2)
        if network.config.body is Body.INCEPTION:
            x = inception(stage.block, net, x)
        if network.config.body is Body.RESIDUAL:
            y = torchs(stage.block.second, net)(torchs(stage.block.first, net)(x).relu())
            x = (x + y).relu()
    features = x.permute(0, 2, 3, 1).flatten(1)
    return features @ network.output.weight[net] + network.output.bias[net]


@every_body
@pytest.mark.parametrize("config", [LARGE, SMALL, replace(SMALL, image=(3, 9, 12), channels=(4,), kernel=4)])
def test_every_network_of_the_pack_is_a_cnn_of_torchs_layers(body, config):
    network = build(replace(config, body=body))
    x = torch.rand(NETS, ROWS, *config.image, generator=torch.Generator().manual_seed(0))
    logits = network(x.flatten(2))
    assert logits.shape == (NETS, ROWS, OUTPUTS)
    for net in range(NETS):
        torch.testing.assert_close(logits[net], alone(network, net, x[net]), atol=1e-5, rtol=1e-4)


def test_parameters_and_sizes_of_lenet_are_those_of_the_formulas():
    assert [(line.layer, line.shape, line.parameters, line.arithmetic) for line in lines_of(LARGE)] == [
        ("stages.0.convolution PackedConvolution", (NETS, 1, 24, 24, 10), 260, "(28 - 5 + 2x0)/1 + 1 = 24"),
        ("stages.0.pool GreatestPool", (NETS, 1, 12, 12, 10), 0, "(24 - 2 + 2x0)/2 + 1 = 12"),
        ("stages.1.convolution PackedConvolution", (NETS, 1, 8, 8, 20), 5020, "(12 - 5 + 2x0)/1 + 1 = 8"),
        ("stages.1.pool GreatestPool", (NETS, 1, 4, 4, 20), 0, "(8 - 2 + 2x0)/2 + 1 = 4"),
        ("output PackedLinear", (NETS, 1, OUTPUTS), 320 * 10 + 10, ""),
    ]
    table = text_of(lines_of(LARGE), NETS).splitlines()
    assert table[2].split() == [
        *("stages.0.convolution", "PackedConvolution", "[3,", "1,", "24,", "24,", "10]"),
        *("(28", "-", "5", "+", "2x0)/1", "+", "1", "=", "24", "260"),
    ]
    assert table[-1].split() == ["total", "3", "networks:", f"{3 * 8490:,}", "parameters", "8,490"]


def test_inception_and_residual_networks_are_those_of_the_formulas():
    inception = lines_of(replace(LARGE, body=Body.INCEPTION))
    block = 24 * (10 + 1), 16 * (10 + 1), 16 * (10 + 1), 24 * (16 * 25 + 1)
    block += 16 * (10 + 1), 24 * (16 * 9 + 1), 24 * (24 * 9 + 1)
    assert [line.parameters for line in inception if line.parameters][1:8] == [*block]
    assert inception[-1].parameters == 1408 * 10 + 10
    assert {line.parameters for line in inception} >= {260, 20 * (88 * 25 + 1)}
    residual = lines_of(replace(LARGE, body=Body.RESIDUAL))
    small, large = 16 * (16 * 9 + 1), 32 * (32 * 9 + 1)
    assert [line.parameters for line in residual] == [
        *(16 * (25 + 1), 0, small, small),
        *(32 * (16 * 25 + 1), 0, large, large),
        512 * 10 + 10,
    ]


@pytest.mark.parametrize("size", [5, 8, 28])
@pytest.mark.parametrize("kernel", [1, 2, 5])
@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_output_size_is_that_of_torch(size, kernel, padding, stride):
    made = functional.conv2d(torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel), None, stride, padding)
    assert output_size(size, kernel, padding, stride) == made.shape[2]


def test_a_size_that_is_rounded_down_says_so_and_sides_that_differ_are_both_told():
    lines = lines_of(replace(SMALL, image=(1, 7, 12), channels=(4,), kernel=2, padding=0))
    assert lines[0].arithmetic == "(7 - 2 + 2x0)/1 + 1 = 6, (12 - 2 + 2x0)/1 + 1 = 11"
    assert lines[1].arithmetic == "(6 - 2 + 2x0)/2 + 1 = 3, (11 - 2 + 2x0)/2 + 1 = 5, rounded down"
    assert Windowed((1, 6, 6), 1, kernel=3, padding=1, stride=3).arithmetic == "(6 - 3 + 2x1)/3 + 1 = 2, rounded down"
    assert Windowed((1, 7, 7), 1, kernel=3, padding=1, stride=3).arithmetic == "(7 - 3 + 2x1)/3 + 1 = 3"


def test_an_image_that_gets_too_small_is_told_with_its_layer():
    with pytest.raises(ValueError, match="a window of 5 pixels finds no room in 4 with a padding of 0"):
        output_size(4, 5)
    with pytest.raises(UsageError, match=r"stages\.1: a window of 5 pixels finds no room in 2 with"):
        build(replace(LARGE, image=(1, 8, 8)))
    with pytest.raises(UsageError, match=r"stages\.0: a window of 2 pixels finds no room in 1 with"):
        build(replace(SMALL, image=(1, 1, 9)))


def test_what_is_no_image_is_refused():
    with pytest.raises(UsageError, match=r"1 x 28 x 28 is 784 pixels, but the recipe makes 64 columns"):
        LARGE.build(Columns(numbers=64), OUTPUTS, generators_of(0, 0, 1))
    with pytest.raises(UsageError, match=r"features\.images"):
        LARGE.build(Columns(numbers=784, cardinalities=(3,)), OUTPUTS, generators_of(0, 0, 1))
    with pytest.raises(UsageError, match=r"features\.images"):
        LARGE.build(Tokens(vocabulary=9, units=0, context=0, longest=7), OUTPUTS, generators_of(0, 0, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": (28, 28)},
        {"image": (1, 0, 28)},
        {"image": [1, 28, 28]},
        {"channels": (10, 0)},
        {"channels": 10},
        {"body": "lenet"},
        {"kernel": 0},
        {"padding": -1},
        {"shift": -1},
        {"dropout": 1.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=f"but got .*{next(iter(wrong))}"):
        replace(LARGE, **wrong)


def test_settings_are_read_again():
    config = replace(TINY, body=Body.RESIDUAL, shift=1)
    assert config_of(CNNConfig(), settings(config)) == config


@every_body
def test_bars_are_learned(body):
    fit = crossfit(bars(), None, replace(TINY, body=body, epochs=15, dropout=0.2), 2, ACCURACY)
    assert fit.score > 0.9


@every_body
def test_a_seed_gives_the_same_bytes_and_its_networks_predict_what_they_did(body):
    config, folds = replace(TINY, body=body, dropout=0.3, shift=1), bars()
    first, again, other = (crossfit(folds, None, config, 2, ACCURACY, seed=seed) for seed in (4, 4, 5))
    assert first.oof.tobytes() == again.oof.tobytes() != other.oof.tobytes()
    assert first.test.tobytes() == again.test.tobytes()
    test = [fold.test for fold in folds]
    ensemble = Ensemble(test, None, config, 2, first.weights, {})
    np.testing.assert_allclose(ensemble.predict(test, None), first.test, atol=1e-5)


@every_body
def test_a_network_alone_equals_the_same_network_in_the_pack(body):
    config, folds = replace(TINY, body=body, dropout=0.3, shift=1), bars()
    data = [fold.train for fold in folds]

    def trained(datasets, generators):
        form = form_of(datasets)
        network = config.build(form, 2, generators)
        training = Training(network, form.stack(datasets, CPU), config, generators)
        return network, torch.stack([training.epoch() for _ in range(config.epochs)])

    packed, losses = trained(data, pack_generators(0, 3, config.members))
    for fold, member in ((0, 0), (1, 1), (2, 0)):
        net = fold * config.members + member
        alone, own = trained([data[fold]], generators_of(0, fold, config.members)[member : member + 1])
        torch.testing.assert_close(own[:, 0], losses[:, net], rtol=1e-4, atol=1e-5)
        for name, parameter in alone.named_parameters():
            torch.testing.assert_close(parameter[0], packed.get_parameter(name)[net], rtol=1e-3, atol=1e-4)


def test_weights_are_drawn_within_the_bounds_of_torch():
    weight = build(LARGE, nets=2).stages[1].convolution.weight
    bound = 1 / (10 * 25) ** 0.5
    assert torch.equal(weight, build(LARGE, nets=2).stages[1].convolution.weight)
    assert not torch.equal(weight[0], weight[1])
    assert 0.99 * bound < weight.abs().max() <= bound


def test_images_are_moved_by_whole_pixels_and_nothing_comes_in():
    noise = Noise(generators_of(0, 0, 2), CPU)
    x = torch.arange(1.0, 2 * 500 * 4 * 5 * 2 + 1).view(2, 500, 4, 5, 2)
    found = shifted(x, 1, noise)
    wide = functional.pad(x, (0, 0, 1, 1, 1, 1))
    seen = torch.zeros(2, 3, 3)
    for net in range(2):
        for row in range(500):
            places = [
                (down, right)
                for down in range(3)
                for right in range(3)
                if torch.equal(wide[net, row, down : down + 4, right : right + 5], found[net, row])
            ]
            assert len(places) == 1
            seen[net][places[0]] += 1
    assert (seen > 25).all()
    assert not torch.equal(seen[0], seen[1])


def test_moves_go_on_where_a_training_was_cut_off():
    noise, again = (Noise(generators_of(seed, 0, 2), CPU) for seed in (0, 1))
    noise.whole_numbers((2, 5), 3)
    again.restore(noise.state())
    assert torch.equal(noise.whole_numbers((2, 50), 3), again.whole_numbers((2, 50), 3))


def test_products_count_each_pixel_and_many_rows_are_predicted_in_parts(monkeypatch):
    network = build(LARGE, nets=2)
    assert network.products == 2 * (250 * 24**2 + 5000 * 8**2 + 320 * 10)
    data = [TabularDataset(input=torch.rand(50, 784), target=torch.zeros(50).long())] * 2
    pack = form_of(data).stack(data, CPU)
    sizes = []
    network.output.register_forward_hook(lambda _, __, output: sizes.append(output.shape[1]))
    whole = predict(network, pack, LARGE)
    monkeypatch.setattr(training, "MOST", 2 * 7 * (24 * 24 * 10 // training.USUAL))
    parts = predict(network, pack, LARGE)
    assert sizes == [50, *[7] * 7, 1]
    torch.testing.assert_close(parts, whole)
    assert whole.sum(dim=2).allclose(torch.ones(2, 50))
    torch.testing.assert_close(whole[0], predictions(LARGE.loss, network(pack.input)[0]))
