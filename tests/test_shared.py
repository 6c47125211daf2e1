"""Shared values, frequent words and dates: what they add to rows, and that a row never learns of itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.dates import Dates
from features.shared import Shared
from features.tabular import tabular
from features.words import Words

PLAIN = tabular(numbers=["size"])


def kin(rows: int = 200, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of 50 tickets; half of the tickets are lucky, and nothing else tells."""
    generator = np.random.default_rng(seed)
    ticket = generator.integers(50, size=rows)
    names = pd.Series(ticket).map(lambda each: f"Family{each}, Some One")
    frame = pd.DataFrame({"size": generator.normal(size=rows), "ticket": ticket.astype(str), "name": names})
    return frame, (ticket % 2).astype(np.int64)


@pytest.mark.parametrize("added", [Shared(["ticket"], beside=PLAIN), Shared(first_words=["name"], beside=PLAIN)])
def test_a_group_tells_how_its_others_fared(added):
    rows, target = kin()
    fitted = added.fit_transform(rows, target)
    (name,) = added.names()
    assert np.corrcoef(fitted[name], target)[0, 1] > 0.8
    others, truth = kin(seed=1)
    assert np.corrcoef(added.transform(others)[name], truth)[0, 1] > 0.8


def test_a_row_learns_nothing_of_itself():
    rows, target = kin()
    alone = rows.assign(ticket=[str(row) for row in range(len(rows))])
    added = Shared(["ticket"], beside=PLAIN)
    assert (added.fit_transform(alone, target)["ticket_shared"] == 0).all()
    turned = np.where(np.arange(len(rows)) == 0, 1 - target, target)
    before, after = (added.fit_transform(rows, each)["ticket_shared"].to_numpy() for each in (target, turned))
    others = (rows["ticket"] == rows["ticket"][0]).to_numpy() & (np.arange(len(rows)) > 0)
    assert others.sum() > 1
    assert after[0] == pytest.approx(before[0], abs=0.03)
    assert (np.sign(turned[0] - target[0]) * (after - before)[others] > 0.1).all()


def test_what_is_expected_of_a_row_does_not_follow_its_own_target():
    rows, _ = kin(40)
    pairs, target = rows.assign(ticket=np.arange(40) // 2), rows["size"].to_numpy() ** 2
    raised = np.where(np.arange(40) == 0, target + 8, target)
    before, after = (Shared(["ticket"], beside=PLAIN).fit_transform(pairs, each) for each in (target, raised))
    assert after["ticket_shared"][1] - before["ticket_shared"][1] == pytest.approx(8 / 2)  # none of the 8 was expected


def test_a_new_row_learns_of_its_one_kin_what_a_train_row_would():
    rows, target = kin()
    tickets = np.arange(len(rows)) // 2  # two rows have each
    added = Shared(["ticket"], beside=PLAIN)
    found = added.fit_transform(rows.assign(ticket=tickets), target)["ticket_shared"]
    halved = rows.assign(ticket=tickets)[::2]
    added.fit(halved, target[::2])
    told = added.transform(rows.assign(ticket=tickets)[1::2])["ticket_shared"]
    assert told.to_numpy() == pytest.approx(found[1::2].to_numpy(), abs=0.1)
    assert told.abs().mean() > 0.2
    unknown = added.transform(rows[:2].assign(ticket=["", "new"]))["ticket_shared"]
    assert unknown.tolist() == [0, 0]


@pytest.mark.parametrize("rare", [0, 1, 2, 4])
def test_a_class_of_few_rows_is_no_fault(rare):
    rows, _ = kin()
    target = np.zeros(len(rows), dtype=np.int64)
    target[:rare] = 1
    found = Shared(["ticket"], beside=PLAIN).fit_transform(rows, target)["ticket_shared"]
    assert np.isfinite(found).all()
    three = Shared(["ticket"], beside=PLAIN).fit_transform(rows, np.where(np.arange(len(rows)) % 2, 2, target))
    assert np.isfinite(three[Shared(["ticket"], beside=PLAIN).names(3)]).all(axis=None)


def test_what_is_plain_of_the_others_does_not_count():
    rows, _ = kin(2000)
    target = (rows["size"] > 0).to_numpy(np.int64)
    kind = rows.assign(ticket=(rows["size"] * 4).round().astype(str))
    residual = Shared(["ticket"], beside=PLAIN).fit_transform(kind, target)["ticket_shared"]
    assert abs(residual).mean() < 0.3


def test_outputs_of_every_kind_have_their_columns():
    rows, target = kin()
    added = Shared(["ticket"], beside=PLAIN)
    three = added.fit_transform(rows, target + (np.arange(len(rows)) % 2))
    assert [name for name in three if "shared" in name] == added.names(3)
    several = np.stack([target, 1 - target, target, target], axis=1).astype(np.float32)
    assert [name for name in added.fit_transform(rows, several) if "shared" in name] == added.names(4)
    assert added.fit_transform(rows, target.astype(np.float32)).columns[-1] == "ticket_shared"


def test_frequent_words_have_a_column_each():
    cells = pd.DataFrame({"name": ["Smith, Mr. A", "Jones, Mrs. B", "Doe, Mr. C", None]})
    words = Words(least=0.4).fit(cells)
    assert list(words.get_feature_names_out()) == ["name_mr"]
    assert words.transform(cells).tolist() == [[1], [0], [1], [0]]
    assert words.transform(cells[:0]).shape == (0, 1)
    assert Words().fit(cells[3:]).transform(cells).shape == (4, 0)
    encoder = tabular(numbers=["size"], words=["name"]).encoder
    rows = pd.DataFrame({"size": [1.0, 2, 3, 4], "name": cells["name"]})
    assert encoder.fit_transform(rows, np.zeros(4)).shape == (4, 2)
    assert encoder.columns_[-1] == "words name__name_mr"


def test_dates_become_numbers_that_come_round():
    rows = pd.DataFrame({"when": ["2026-01-01", "2026-01-08 12:00", None, "2026-12-31"]})
    dates = Dates(["when"])
    found = dates.fit_transform(rows)
    assert found["when_days"].tolist()[:2] == [0, 7.5]
    assert np.isnan(found["when_days"][2])
    assert found["when_week_sin"][0] == pytest.approx(found["when_week_sin"][3], abs=1e-9)
    assert found["when_year_cos"][0] == pytest.approx(found["when_year_cos"][3], abs=1e-3)
    later = dates.transform(pd.DataFrame({"when": ["2027-01-01"]}))
    assert later["when_days"].tolist() == [365]
    far = Dates(["when"]).fit_transform(pd.DataFrame({"when": ["1600-01-01", "9999-12-31", "2026-01-01"]}))
    assert far["when_days"].tolist() == [0, 3068036, 155594]
    hours = Dates(["when"]).fit_transform(pd.DataFrame({"when": ["2026-01-01 00:00", "2026-01-01 06:00"]}))
    assert hours["when_day_sin"].tolist() == pytest.approx([0, 1], abs=1e-6)
    april = Dates(["when"], day_first=True).fit_transform(pd.DataFrame({"when": ["1/4/2026", "3/4/2026"]}))
    assert april["when_days"].tolist() == [0, 2]
