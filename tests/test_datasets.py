"""The torch datasets, in our own loop and in a plain DataLoader."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from data.datasets import TabularDataset
from tests.toy import sequences

TABULAR = TabularDataset(input=torch.arange(20.0).view(10, 2), target=torch.arange(10))
LENGTHS = [3, 0, 1, 5, 2]
SEQUENCES = sequences(torch.arange(1, 12).split(LENGTHS), range(5), torch.zeros(12, 2))


def test_a_data_loader_takes_a_table():
    batches = list(DataLoader(TABULAR, batch_size=4))
    assert torch.equal(torch.cat([x for x, _ in batches]), TABULAR.input)
    assert torch.equal(torch.cat([y for _, y in batches]), TABULAR.target)
    assert [len(y) for _, y in batches] == [4, 4, 2]


def test_a_data_loader_takes_sequences_with_a_collate_that_pads():
    batches = list(DataLoader(SEQUENCES, batch_size=2, collate_fn=lambda rows: [tokens.tolist() for tokens, _ in rows]))
    assert batches == [[[1, 2, 3], []], [[4], [5, 6, 7, 8, 9]], [[10, 11]]]


@pytest.mark.parametrize("data", [TABULAR, SEQUENCES])
def test_batches_hold_every_row_once_in_an_order_that_the_generator_decides(data):
    def order(seed):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return torch.cat([batch[-1] for batch in data.batches(3, generator)]).tolist()

    assert order(None) == list(range(len(data)))
    assert sorted(order(1)) == list(range(len(data)))
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 1


def test_sequences_are_padded_to_the_longest_of_their_batch():
    tokens, lengths, target = next(SEQUENCES.batches(3))
    assert tokens.tolist() == [[1, 2, 3], [0, 0, 0], [4, 0, 0]]
    assert lengths.tolist() == [3, 0, 1]
    assert target.tolist() == [0, 1, 2]


def test_rows_are_counted_from_the_end_too_and_end_there():
    assert SEQUENCES[-1][0].tolist() == [10, 11]
    with pytest.raises(IndexError):
        SEQUENCES[5]
    assert sum(len(tokens) for tokens, _ in SEQUENCES) == 11


@pytest.mark.parametrize("data", [TABULAR, SEQUENCES])
def test_a_dataset_moves_to_a_device_as_a_whole(data):
    moved = data.to("meta")
    assert moved.input.device.type == moved.target.device.type == "meta"
    assert len(moved) == len(data)
    assert data.input.device.type == "cpu"


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="input"):
        TabularDataset(input=torch.zeros(3, 2), target=torch.zeros(2))
    with pytest.raises(ValueError, match="one offset more"):
        replace(SEQUENCES, offsets=SEQUENCES.offsets[1:])
