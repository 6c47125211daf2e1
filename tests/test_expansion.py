"""The expansion: pieces that rise between quantiles, sums of a network's own, and nothing learned from other rows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.datasets import TabularDataset
from models.columns import ColumnPack, Columns
from models.expansion import Expansion
from models.training import pack_generators

MEMBERS = 2
CLOSE = 1e-5


def pack_of(*folds: torch.Tensor) -> ColumnPack:
    data = [TabularDataset(input=rows, target=torch.zeros(len(rows), dtype=torch.int64)) for rows in folds]
    return Columns.of(data).stack(data, torch.device("cpu"))


def fitted(pack: ColumnPack, pieces: int, sums: int) -> Expansion:
    generators = pack_generators(0, len(pack.rows), MEMBERS)
    expansion = Expansion(pack.input.shape[2], 0, pieces, sums, generators)
    expansion.fit(pack)
    return expansion


def members_of(x: torch.Tensor, folds: int) -> torch.Tensor:
    return x.expand(folds * MEMBERS, -1, -1)


@given(st.lists(st.integers(0, 40), min_size=3, max_size=60), st.integers(1, 9))
def test_pieces_rise_one_after_another_from_the_least_value_to_the_greatest(counts, pieces):
    x = torch.tensor(counts, dtype=torch.float32).unsqueeze(1)
    expansion = fitted(pack_of(x), pieces, 0)
    at = torch.linspace(-1, 50, 103).unsqueeze(1)
    found = expansion(members_of(at, 1))[0]  # [values, pieces]
    values = len(x.unique())
    assert found.shape[1] <= min(pieces, values - 1)
    assert (found.shape[1] > 0) == (values > 1)
    assert (found.diff(dim=0) >= -CLOSE).all()
    assert (found[at[:, 0] <= x.min()] == 0).all()
    assert (found[at[:, 0] >= x.max()] > 1 - CLOSE).all()
    assert (found[:, :-1] >= found[:, 1:] - CLOSE).all()  # a piece starts when the one before is through
    if 1 < values <= pieces + 1:
        distinct = expansion(members_of(x.unique().unsqueeze(1), 1))[0].unique(dim=0)
        assert len(distinct) == values


def test_a_column_of_mostly_zeros_has_its_pieces_where_its_values_are():
    x = torch.cat([torch.zeros(90), torch.arange(1.0, 11.0)]).unsqueeze(1)
    expansion = fitted(pack_of(x), 5, 0)
    starts = torch.tensor([0.0, 3, 5, 6, 8])  # 0, and quantiles of 1 to 10
    found = expansion(members_of(starts.unsqueeze(1), 1))[0]
    torch.testing.assert_close(found, torch.ones(5, 5).tril(-1))


def test_pieces_are_laid_side_by_side_and_those_that_no_fold_has_are_left_out():
    few, many = torch.tensor([0.0, 1, 0, 1, 0, 1]), torch.arange(6.0)
    expansion = Expansion(3, 1, 3, 0, pack_generators(0, 2, MEMBERS))
    never = torch.full((6,), 4.0)
    flat, rising = torch.stack([few, never, few, many], 1), torch.stack([few, never, many, many], 1)
    kept = expansion.fit(pack_of(flat, rising))
    assert kept.tolist() == [2, 0, 5, 8, 9]  # numbers 2 and 0 have a first piece, only 2 a second and a third; passed
    found = expansion(torch.tensor([[1.0, 4, 5, 7]]).expand(2 * MEMBERS, -1, -1))
    torch.testing.assert_close(found[0, 0], torch.tensor([1.0, 1, 0, 0, 7]))
    torch.testing.assert_close(found[-1, 0], torch.tensor([1.0, 1, 1, 1, 7]))


def test_sums_are_standardised_signed_roots_of_two_to_five_numbers_and_differ_between_members():
    x = torch.randint(0, 9, (500, 12), generator=torch.Generator().manual_seed(0)).float()
    expansion = fitted(pack_of(x), 0, 40)
    terms = expansion.terms
    assert set(terms.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert set(terms.abs().sum(dim=1).unique().tolist()) == {2.0, 3.0, 4.0, 5.0}
    assert not torch.equal(terms[0], terms[1])
    found = expansion(members_of(x, 1))
    torch.testing.assert_close(found[:, :, :12], members_of(x, 1))
    sums = found[:, :, 12:]
    torch.testing.assert_close(sums.mean(dim=1), torch.zeros(MEMBERS, 40), atol=1e-4, rtol=0)
    torch.testing.assert_close(sums.std(dim=1, correction=0), torch.ones(MEMBERS, 40), atol=1e-4, rtol=0)
    raw = (x.double() @ terms[1].double()).float()
    roots = raw.sign() * raw.abs().sqrt()
    torch.testing.assert_close(sums[1], (roots - roots.mean(0)) / roots.std(0, correction=0), atol=1e-4, rtol=1e-4)


def test_without_the_numbers_the_same_sums_pass_alone_with_the_columns_after_them():
    x = torch.randint(0, 9, (50, 7), generator=torch.Generator().manual_seed(0)).float()
    found, kept = [], []
    for pieces in (0, None):
        expansion = Expansion(6, 1, pieces, 10, pack_generators(0, 1, MEMBERS))
        kept.append(expansion.fit(pack_of(x)))
        found.append(expansion(members_of(x, 1)))
    torch.testing.assert_close(found[1], found[0][:, :, 6:])
    assert kept[1].tolist() == list(range(11))


def test_every_fold_learns_from_its_own_rows_and_not_from_the_padding():
    generator = torch.Generator().manual_seed(0)
    short, long = torch.rand(30, 3, generator=generator) + 5, torch.rand(70, 3, generator=generator) * 9
    together = fitted(pack_of(short, long), 4, 3)
    alone = fitted(pack_of(short), 4, 3)
    x = torch.rand(50, 3, generator=generator) * 9
    torch.testing.assert_close(together(members_of(x, 2))[:MEMBERS], alone(members_of(x, 1)))


@pytest.mark.parametrize("values", [torch.zeros(20, 3), torch.full((20, 3), -7.5)])
def test_columns_that_never_change_give_zeros(values):
    expansion = fitted(pack_of(values), 4, 3)
    assert (expansion(members_of(values, 1)) == 0).all()
