"""Batches: an epoch shows every network each row of its own fold once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.datasets import SequenceDataset, TabularDataset
from models.columns import Columns
from models.forms import form_of
from models.pack import Batches
from models.training import generators_of, pack_generators


def dataset(rows: int, columns: int = 2, first: int = 0) -> TabularDataset:
    names = torch.arange(first, first + rows)
    return TabularDataset(input=names.float().unsqueeze(1).expand(rows, columns), target=names)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 50), st.integers(1, 3))
def test_every_network_sees_its_own_rows_once_an_epoch(sizes, batch, members):
    data = [dataset(rows, first=1000 * fold) for fold, rows in enumerate(sizes)]
    pack = form_of(data).stack(data, torch.device("cpu"))
    generators = pack_generators(0, len(sizes), members)
    batches = Batches(pack, batch, generators)
    seen: list[list[int]] = [[] for _ in generators]
    for step in batches.epoch(0):
        target, weight = step.target, step.weight
        assert weight.shape[1] <= batch
        inputs = batches.pack.input_of(step.rows)
        for net in range(len(generators)):
            own = weight[net] > 0
            assert weight[net].sum() == pytest.approx(1) or not own.any()
            assert torch.equal(inputs[net, own, 0].long(), target[net, own])
            seen[net] += target[net, own].tolist()
    for net, found in enumerate(seen):
        fold = net // members
        assert sorted(found) == list(range(1000 * fold, 1000 * fold + sizes[fold]))


@given(st.lists(st.integers(1, 200), min_size=1, max_size=4), st.integers(1, 50))
def test_a_batch_has_the_declared_size_in_every_fold(sizes, batch):
    data = [dataset(rows) for rows in sizes]
    generators = pack_generators(0, len(sizes), 1)
    epoch = Batches(form_of(data).stack(data, torch.device("cpu")), batch, generators).epoch(0)
    for fold, rows in enumerate(sizes):
        found = [int((step.weight[fold] > 0).sum()) for step in epoch if step.places[fold] is not None]
        assert len(found) == -(-rows // batch)
        assert max(found) - min(found) <= 1
        assert [step.places[fold] for step in epoch][: len(found)] == list(range(len(found)))
        assert not any(step.weight[fold].any() for step in epoch if step.places[fold] is None)


def test_epochs_and_members_differ_in_order():
    data = [dataset(50)]
    batches = Batches(form_of(data).stack(data, torch.device("cpu")), 10, generators_of(0, 0, 2))
    first, second = batches.epoch(0)[0].target, batches.epoch(1)[0].target
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])


def repeated(texts: bool) -> TabularDataset | SequenceDataset:
    """Five rows, of which the first and the third are the same; the last differs from them in its class alone."""
    target, values = torch.tensor([1, 0, 1, 0, 0]), torch.tensor([7, 8, 7, 9, 7])
    if not texts:
        return TabularDataset(input=values.float().unsqueeze(1), target=target)
    vectors, context = torch.empty(10, 0), torch.empty(5, 0, dtype=torch.int8)
    places = torch.arange(5)
    return SequenceDataset(
        input=values, offsets=torch.arange(6), target=target, vectors=vectors, context=context, places=places
    )


@pytest.mark.parametrize("texts", [False, True])
def test_rows_that_repeat_each_other_weigh_as_one(texts):
    data = repeated(texts)
    pack = form_of([data]).stack([data], torch.device("cpu"))
    assert pack.repeats(0).tolist() == [2, 1, 2, 1, 1]
    (step,) = Batches(pack, 5, generators_of(0, 0, 1), distinct=True).epoch(0)
    rows, weight = step.rows, step.weight
    found = dict(zip(rows[0].tolist(), (weight[0] / weight.sum()).tolist(), strict=True))
    assert found == pytest.approx({0: 1 / 8, 1: 1 / 4, 2: 1 / 8, 3: 1 / 4, 4: 1 / 4})
    assert weight.sum() == pytest.approx(1)


def test_codes_stay_last_when_a_narrow_fold_is_padded():
    wide = TabularDataset(input=torch.tensor([[1.0, 2, 7]]), target=torch.zeros(1).long(), cardinalities=(8,))
    narrow = TabularDataset(input=torch.tensor([[1.0, 3]]), target=torch.zeros(1).long(), cardinalities=(4,))
    form = Columns.of([wide, narrow])
    assert (form.columns, form.cardinalities) == (3, (8,))
    assert form.stack([wide, narrow], torch.device("cpu")).input.tolist() == [[[1, 2, 7]], [[1, 0, 3]]]
