"""Batches of texts hold rows of about one length, and still differ from epoch to epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.codes import PADDING
from data.datasets import SequenceDataset
from models.forms import form_of
from models.pack import Batches
from models.rnn import RNNConfig
from models.tokens import Texts, Tokens
from models.training import pack_generators, predict
from tests.toy import folds_of, sequences, text_folds

CPU = torch.device("cpu")


def dataset(lengths: list[int], first: int = 0) -> SequenceDataset:
    """Every row repeats its own number, from 2 on, which is its target too."""
    names = torch.arange(first, first + len(lengths))
    texts = (names + 2).repeat_interleave(torch.tensor(lengths)).split(lengths)
    return sequences(texts, names.tolist(), torch.zeros(first + len(lengths) + 2, 0))


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=40)


@given(st.lists(lengths, min_size=1, max_size=3), st.integers(1, 20), st.integers(1, 2), st.integers(0, 3))
def test_every_network_sees_its_own_rows_once_an_epoch(folds, batch, members, epoch):
    data = [dataset(own, first=1000 * fold) for fold, own in enumerate(folds)]
    generators = pack_generators(0, len(folds), members)
    batches = Batches(form_of(data).stack(data, CPU), batch, generators)
    seen: list[list[int]] = [[] for _ in generators]
    for step in batches.epoch(epoch):
        target, weight = step.target, step.weight
        tokens = batches.pack.input_of(step.rows).tokens.transpose(1, 2)
        for net in range(len(generators)):
            own = weight[net] > 0
            assert torch.equal(tokens[net, own, 0] - 2, target[net, own])
            for line, name in zip(tokens[net, own], target[net, own].tolist(), strict=True):
                fold, row = divmod(name, 1000)
                assert (line != PADDING).sum() == folds[fold][row]
            seen[net] += target[net, own].tolist()
    for net, found in enumerate(seen):
        fold = net // members
        assert sorted(found) == [1000 * fold + row for row in range(len(folds[fold]))]


def test_batches_hardly_pad_and_are_others_in_every_epoch():
    generator = torch.Generator().manual_seed(0)
    data = [dataset((1 + torch.rand(2000, generator=generator).square() * 40).int().tolist()) for _ in range(2)]
    batches = Batches(form_of(data).stack(data, CPU), 50, pack_generators(0, 2, 2))
    for epoch in range(2):
        cells = tokens = 0
        for step in batches.epoch(epoch):
            found = batches.pack.input_of(step.rows).tokens
            cells += found.numel()
            tokens += int((found != PADDING).sum())
        assert cells / tokens < 1.1
    orders = [[step.target[net] for step in batches.epoch(epoch)] for epoch in (0, 1) for net in (0, 1)]
    longest = [torch.stack([data[0].offsets.diff()[step].max() for step in order]) for order in orders]
    assert torch.equal(longest[0], longest[1])  # a pack's networks have rows of one length at a time
    assert not torch.equal(longest[0], longest[2])  # and short ones come at other times
    sets = [{frozenset(step.tolist()) for step in order} for order in orders]
    assert len(sets[0] & sets[1]) < len(sets[0]) / 10
    assert len(sets[0] & sets[2]) < len(sets[0]) / 10


def test_predictions_come_in_the_order_of_the_rows():
    folds = text_folds(rows=50)
    config = RNNConfig(width=4, embedding=3, head=0, members=2)
    form = Tokens.of([fold.train for fold in folds])
    network = config.build(form, 2, pack_generators(0, 3, 2))
    together = predict(network, form.stack([fold.valid for fold in folds], CPU), config)
    for row in range(len(folds[0].valid)):
        tokens = folds[0].valid[row][0].view(1, -1, 1).expand(network.nets, -1, 1)
        alone = network(Texts(tokens=tokens, context=torch.zeros(*tokens.shape, 0))).softmax(dim=2)[:2].mean(dim=0)[0]
        torch.testing.assert_close(alone, together[0, row])


def test_a_very_long_text_is_predicted_beside_short_ones():
    folds = text_folds(rows=30)
    config = RNNConfig(width=4, embedding=3, head=0, members=1)
    form = Tokens.of([fold.train for fold in folds])
    network = config.build(form, 2, pack_generators(0, 1, 1))
    long = replace(dataset([1, 20_000, 3]), vectors=folds[0].train.vectors)
    assert predict(network, form.stack([long], CPU), config).isfinite().all()


def test_tables_and_texts_do_not_mix():
    with pytest.raises(TypeError, match="got both"):
        form_of([folds_of()[0].train, text_folds()[0].train])
    with pytest.raises(ValueError, match=r"units.*\(2, 0\), \(3, 0\)"):
        form_of([text_folds(units=units)[0].train for units in (2, 3)])
