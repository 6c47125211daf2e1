"""The packed recurrent networks compute what torch's own compute from packed sequences, forward and backward."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from data.codes import PADDING, UNSEEN
from data.datasets import Fold
from data.errors import UsageError
from data.metrics import ACCURACY
from models import training
from models.columns import Columns
from models.crossfit import crossfit
from models.network import Noise
from models.rnn import Cell, Pool, RNNConfig
from models.tokens import Texts, Tokens
from models.training import Training, generators_of, pack_generators
from tests.toy import sequences, text_folds

NETS, OUTPUTS = 3, 2
FORM = Tokens(vocabulary=20, units=0, context=0, longest=9)
LENGTHS = torch.tensor([[4, 1, 9, 3], [2, 2, 5, 1], [7, 3, 1, 6]])
TORCHS = {Cell.RNN: nn.RNN, Cell.LSTM: nn.LSTM, Cell.GRU: nn.GRU}
PLAIN = RNNConfig(width=5, embedding=4, head=0, bag=False, dropout=0, input_dropout=0, word_dropout=0)
CONFIG = RNNConfig(
    width=8, embedding=6, head=8, members=2, refit=1, epochs=4, batch=16, lr=0.02,
    dropout=0.1, input_dropout=0.1, word_dropout=0.1,
)  # fmt: skip


def tokens_of(lengths=LENGTHS, seed: int = 0) -> torch.Tensor:
    """Random tokens, [nets, rows, longest], padded."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(UNSEEN + 1, FORM.vocabulary, (*lengths.shape, int(lengths.max())), generator=generator)
    return drawn.where(torch.arange(drawn.shape[2]) < lengths.unsqueeze(2), PADDING)


def read(network, tokens: torch.Tensor, noise: Noise | None = None) -> torch.Tensor:
    """The logits of tokens of which nothing is known by their context."""
    tokens = tokens.transpose(1, 2)
    return network(Texts(tokens=tokens, context=torch.zeros(*tokens.shape, 0)), noise)


def torchs_order(cell: Cell, weight: torch.Tensor) -> torch.Tensor:
    """Our gates in torch's order, which puts an LSTM's g before o."""
    if cell is not Cell.LSTM:
        return weight
    i, f, o, g = weight.chunk(4, dim=-1)
    return torch.cat([i, f, g, o], dim=-1)


def separate(network, net: int) -> nn.Module:
    """The recurrence of one network of the pack, as torch's own module."""
    config = network.config
    module = TORCHS[config.cell](
        network.embedding.table.shape[2], config.width, config.layers,
        bidirectional=config.bidirectional, batch_first=True,
    )  # fmt: skip
    for number, layer in enumerate(network.recurrence):
        for direction, suffix in enumerate(["", "_reverse"][: config.directions]):
            bias = layer.bias[net, direction, 0].detach()
            inner = torch.zeros_like(module.bias_hh_l0)
            if config.cell is Cell.GRU:
                bias, reset = bias[: 3 * config.width], bias[3 * config.width :]
                inner[2 * config.width :] = reset
            values = {
                "weight_ih": torchs_order(config.cell, layer.input_weight[net, direction].detach()).T,
                "weight_hh": torchs_order(config.cell, layer.weight[net, direction].detach()).T,
                "bias_ih": torchs_order(config.cell, bias),
                "bias_hh": inner,
            }
            for name, value in values.items():
                getattr(module, f"{name}_l{number}{suffix}").data.copy_(value)
    return module


def pooled_by_torch(module, vectors: torch.Tensor, lengths: torch.Tensor, pool: Pool) -> torch.Tensor:
    """What torch makes of packed sequences: [rows, directions x units]."""
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(module(packed)[0], batch_first=True)
    held = (torch.arange(states.shape[1]) < lengths.unsqueeze(1)).unsqueeze(2)
    if pool is Pool.MEAN:
        return (states * held).sum(dim=1) / lengths.unsqueeze(1)
    if pool is Pool.MAX:
        return states.masked_fill(~held, -torch.inf).amax(dim=1)
    ahead, *behind = states.split(module.hidden_size, dim=2)
    return torch.cat([ahead[torch.arange(len(lengths)), lengths - 1], *(each[:, 0] for each in behind)], dim=1)


@pytest.mark.parametrize("pool", [Pool.LAST, Pool.MEAN, Pool.MAX])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(Cell))
def test_every_network_of_the_pack_is_torchs_own_on_packed_sequences(cell, layers, bidirectional, pool):
    config = replace(PLAIN, cell=cell, layers=layers, bidirectional=bidirectional, pooling=(pool,))
    network = config.build(FORM, OUTPUTS, generators_of(0, 0, NETS))
    tokens = tokens_of()
    logits = read(network, tokens)
    logits.square().sum().backward()
    for net in range(NETS):
        module = separate(network, net)
        table = network.embedding.table[net].detach().clone().requires_grad_()
        pooled = pooled_by_torch(module, table[tokens[net]], LENGTHS[net], pool)
        found = pooled @ network.output.weight[net].detach() + network.output.bias[net].detach()
        torch.testing.assert_close(found, logits[net])
        found.square().sum().backward()
        grads = [torchs_order(cell, layer.weight.grad[net, 0]).T for layer in network.recurrence]
        for number, grad in enumerate(grads):
            torch.testing.assert_close(grad, getattr(module, f"weight_hh_l{number}").grad)
            own = torchs_order(cell, network.recurrence[number].input_weight.grad[net, -1]).T
            name = f"weight_ih_l{number}" + "_reverse" * bidirectional
            torch.testing.assert_close(own, getattr(module, name).grad)
        torch.testing.assert_close(network.embedding.table.grad.to_dense()[net], table.grad)


@pytest.mark.parametrize("cell", list(Cell))
def test_the_way_back_is_the_derivative(cell):
    config = replace(PLAIN, cell=cell, pooling=tuple(Pool), bag=True)
    network = config.build(FORM, OUTPUTS, generators_of(0, 0, NETS)).double()
    tokens = tokens_of()
    for parameter in network.parameters():
        network.zero_grad()
        read(network, tokens).square().sum().backward()
        grad = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
        direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        step = 1e-6
        with torch.no_grad():
            ends = []
            for sign in (1, -1):
                parameter += sign * step * direction
                ends.append(read(network, tokens).square().sum())
                parameter -= sign * step * direction
        assert float((ends[0] - ends[1]) / (2 * step)) == pytest.approx(float((grad * direction).sum()), rel=1e-5)


@pytest.mark.parametrize("pool", list(Pool))
def test_padding_and_the_other_rows_change_nothing(pool):
    network = replace(CONFIG, pooling=(pool,), layers=2).build(FORM, OUTPUTS, generators_of(0, 0, NETS))
    tokens = tokens_of()
    logits = read(network, tokens)
    for row in range(tokens.shape[1]):
        longest = int(LENGTHS[:, row].max())
        torch.testing.assert_close(read(network, tokens[:, row : row + 1, :longest])[:, 0], logits[:, row])


def test_dropped_words_are_as_unseen_and_padding_stays():
    network = replace(CONFIG, word_dropout=0.5).build(FORM, OUTPUTS, generators_of(0, 0, NETS))
    seen = []
    network.embedding.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    tokens = tokens_of().repeat(1, 100, 1)
    read(network, tokens, Noise(generators_of(0, 0, NETS), torch.device("cpu")))
    found = seen[0].transpose(1, 2)  # [nets, rows, tokens]
    assert torch.equal(found == PADDING, tokens == PADDING)
    changed = found[tokens != PADDING] != tokens[tokens != PADDING]
    assert (found[found != tokens] == UNSEEN).all()
    assert changed.float().mean() == pytest.approx(0.5, abs=0.05)


def test_given_vectors_are_taken_over_and_stay_when_they_are_not_tuned():
    folds = text_folds(units=6)
    known = folds[0].train.vectors
    for tuned in (0.0, 0.5):
        config = replace(CONFIG, tuned=tuned)
        form = Tokens.of([fold.train for fold in folds])
        pack = form.stack([fold.train for fold in folds], torch.device("cpu"))
        generators = pack_generators(0, len(folds), config.members)
        network = config.build(form, OUTPUTS, generators)
        training = Training(network, pack, config, generators)
        given = ~known.isnan()
        for net in range(network.nets):
            assert torch.equal(network.embedding.table[net][given], known[given])
        assert not network.embedding.table.isnan().any()
        training.epoch()
        moved = (network.embedding.table[0] != known) & given
        assert moved.any() == (tuned > 0)


@pytest.mark.parametrize("cell", list(Cell))
def test_a_network_alone_equals_the_same_network_in_the_pack(cell):
    folds = text_folds()
    data = [fold.train for fold in folds]
    config = replace(CONFIG, cell=cell, layers=2, pooling=tuple(Pool))
    form = Tokens.of(data)

    def trained(datasets, generators):
        network = config.build(form, OUTPUTS, generators)
        training = Training(network, form.stack(datasets, torch.device("cpu")), config, generators)
        return network, torch.stack([training.epoch() for _ in range(2)])

    packed, losses = trained(data, pack_generators(0, 3, config.members))
    for fold, member in ((0, 0), (2, 1)):
        own = generators_of(0, fold, config.members)[member : member + 1]
        alone, alone_losses = trained(data[fold : fold + 1], own)
        net = fold * config.members + member
        torch.testing.assert_close(alone_losses[:, 0], losses[:, net], rtol=1e-4, atol=1e-5)
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(value[0], packed.state_dict()[name][net], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("cell", list(Cell))
def test_texts_are_learned_from_what_their_words_mean_and_from_their_order(cell):
    fit = crossfit(text_folds(rows=600), None, replace(CONFIG, cell=cell, epochs=12), 2, ACCURACY)
    assert fit.score > 0.9


def test_a_bag_of_tokens_knows_no_order():
    network = replace(CONFIG, layers=0).build(FORM, OUTPUTS, generators_of(0, 0, NETS))
    tokens = tokens_of(torch.full((NETS, 4), 5))
    torch.testing.assert_close(read(network, tokens), read(network, tokens.flip(2)))
    assert not torch.allclose(read(network, tokens), read(network, tokens.roll(1, dims=1)))


def whole_of(folds) -> Fold:
    data = folds[0].train
    nothing = replace(
        data, input=data.input[:0], offsets=data.offsets[:1], target=data.target[:0], places=data.places[:0]
    )
    return Fold(train=data, valid=nothing, test=folds[0].test, valid_rows=torch.arange(0))


@pytest.mark.parametrize("pause", [training.PAUSE, -1.0])  # between epochs, and within them
def test_a_seed_gives_the_same_bytes_and_a_cut_off_training_goes_on_to_them(pause, monkeypatch):
    monkeypatch.setattr(training, "PAUSE", pause)
    folds, states = text_folds(), []

    class Keep:
        def load(self):
            return states[-1] if states else None

        def save(self, state):
            states.append({name: tensor.clone() for name, tensor in state().items()})

    whole = crossfit(folds, whole_of(folds), CONFIG, 2, ACCURACY)

    def stop(told):
        if stops and told.number == stops[0] and getattr(told, "share", 1.0) > 0.5:
            raise InterruptedError

    for stop_at in (2, 3):
        stops = [stop_at]
        with pytest.raises(InterruptedError):
            crossfit(folds, whole_of(folds), CONFIG, 2, ACCURACY, watch=stop, keep=Keep())
    stops = []
    again = crossfit(folds, whole_of(folds), CONFIG, 2, ACCURACY, watch=stop, keep=Keep())
    assert again.oof.tobytes() == whole.oof.tobytes()
    assert again.test.tobytes() == whole.test.tobytes()


def test_tables_are_refused_and_texts_by_an_mlp():
    with pytest.raises(UsageError, match=r"RNNConfig takes texts"):
        CONFIG.build(Columns(numbers=3), 2, generators_of(0, 0, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"layers": -1},
        {"layers": 0, "bag": False},
        {"pooling": ()},
        {"pooling": ("max",)},
        {"cell": "lstm"},
        {"tuned": -0.1},
        {"word_dropout": 1.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)


def test_a_row_without_tokens_has_an_answer():
    data = sequences([torch.tensor([2, 3]), torch.tensor([]).long()], [0, 0], torch.zeros(4, 0))
    form = Tokens.of([data])
    pack = form.stack([data], torch.device("cpu"))
    network = CONFIG.build(form, OUTPUTS, generators_of(0, 0, 1))
    assert network(pack.input_of(torch.arange(2).unsqueeze(0))).isfinite().all()
