"""Encoders in files: what cannot be kept is told, with the part that it is, and nothing is kept that changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin

from features.tabular import tabular
from pipelines import encoders
from pipelines.encoders import Encoders, UnkeptError

ROWS = pd.DataFrame({"a": np.arange(20.0)})


def scale(values: pd.DataFrame) -> pd.DataFrame:
    """The namesake of what `namesake` gives."""
    return values * 2


def namesake():
    def scale(values):
        return values * 3

    scale.__qualname__ = "scale"
    return scale


class Holder(TransformerMixin, BaseEstimator):
    """Learns nothing, and holds something."""

    def __init__(self, held: Any = None) -> None:
        self.held = held

    def fit(self, rows, target=None):
        return self

    def transform(self, rows):
        return rows[["a"]]


class Applies(Holder):
    def transform(self, rows):
        return self.held(rows[["a"]])


class Looks(Holder):
    def transform(self, rows):
        return rows[["a"]] * self.held[1]


class Guesses(Holder):
    def transform(self, rows):
        return rows[["a"]] + np.random.default_rng().normal()


class Angry(Holder):
    def __getstate__(self):
        raise RuntimeError("not me")


class Circles(Holder):
    def fit(self, rows, target=None):
        self.held_ = []
        self.held_.append(self.held_)
        return self


@pytest.fixture(autouse=True)
def _ours(monkeypatch):
    monkeypatch.setattr(encoders, "OWN_CODE", (*encoders.OWN_CODE, "tests."))


def fitted(transformer) -> Encoders:
    encoder = tabular(derive=[transformer], numbers=["a"]).encoder
    encoder.fit_transform(ROWS, np.arange(20) % 2)
    return Encoders(folds=[encoder, encoder], whole=None)


@pytest.mark.parametrize("held", [None, np.eye(2), {"a": [1, "b"]}, (1, 2)])
def test_what_is_kept_is_read_again(tmp_path, held):
    made = fitted(Holder(held))
    made.write(tmp_path / "file", ROWS)
    found = Encoders.read(tmp_path / "file")
    assert len(found.all) == 2
    assert np.allclose(found.folds[0].transform(ROWS), made.folds[0].transform(ROWS))


@pytest.mark.parametrize(
    ("transformer", "told"),
    [
        (Holder(pd.Series([1.0])), r"Holder\.held\w* \(Series\) cannot be kept"),
        (Holder(torch.ones(2)), r"Holder\.held\w* \(Tensor\) cannot be kept"),
        (Holder({"x": [pd.Index(["a"])]}), r"\(Index\) cannot be kept"),
        (Circles(), "cannot be kept"),
        (Angry(), r"Angry.* cannot be kept \(not me\)"),
        (Applies(namesake()), "makes other numbers of the same rows"),
        (Looks({1: 1.0, "1": 4.0}), "makes other numbers of the same rows"),
        (Guesses(), "makes other numbers of the same rows"),
    ],
)
def test_what_no_file_holds_is_told(tmp_path, transformer, told):
    with pytest.raises(UnkeptError, match=told):
        fitted(transformer).write(tmp_path / "file", ROWS)
