"""The context of words: what MiniLM makes of each in its text, and spans of the longest text of a group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from data.codes import CONTEXT_STEP
from features.context import MiniLM
from features.pieces import pieces
from features.recipe import Workshop
from features.spans import in_longest
from features.text import text
from tests.test_text import tables_of_texts

CPU = torch.device("cpu")
TEXTS = [line.split() for line in ("a good film", "not a good film", "the bank of a river", "a bank robbed twice", "")]


def encode(texts, **arguments) -> np.ndarray:
    model = MiniLM(**arguments)
    return model.encode(texts, model.axes(texts, CPU), CPU, lambda _: None).astype(float) * CONTEXT_STEP


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_a_word_has_a_vector_in_its_text():
    found = encode(TEXTS, units=8)
    assert found.shape == (sum(map(len, TEXTS)), 8)
    good, not_good = found[1], found[5]
    river, robbed = found[8], found[13]
    assert angle(good, not_good) > angle(river, robbed)
    assert angle(river, robbed) < 0.95
    assert found[4:].std(axis=0) == pytest.approx(0.3, abs=0.15)  # of words, along every axis


def test_other_texts_and_their_order_hardly_change_a_vector():
    model, backwards = MiniLM(units=8), TEXTS[::-1]
    axes = model.axes(TEXTS, CPU)
    first, other = (model.encode(texts, axes, CPU, lambda _: None).astype(int) for texts in (TEXTS, backwards))
    starts = np.cumsum([0, *map(len, TEXTS)])
    by_text = [first[start : start + len(text)] for start, text in zip(starts, TEXTS, strict=False)]
    assert np.abs(np.concatenate(by_text[::-1]) - other).max() < 10  # of bfloat16
    assert model.key(TEXTS) != model.key(backwards)
    assert model.key(TEXTS) != MiniLM().key(TEXTS)


def test_pieces_of_a_word_are_averaged_and_cut_ones_are_zero():
    long = ["film"] * 600  # the model takes 512 pieces
    found = encode([long, ["unbelievableness", "film"]], units=4)
    assert found.shape == (602, 4)
    assert (found[512:600] == 0).all()
    assert (found[600:] != 0).any(axis=1).all()


def test_parts_stand_in_the_longest_text_of_their_group():
    texts = [line.split() for line in ("good film", "a good film", "film", "a film", "good film", "ood film")]
    holder, start = in_longest(texts, ["one", "one", "one", "one", "two", "one"])
    assert holder.tolist() == [1, 1, 1, 3, 4, 5]
    assert start.tolist() == [1, 0, 2, 0, 0, 0]


def test_the_context_is_that_of_the_whole_text():
    whole, part, other = "not a good film", "good film", "a film"
    tables = tables_of_texts([whole, part], [other, whole])
    tables = replace(tables, train=tables.train.assign(sentence=[1, 1]), test=tables.test.assign(sentence=[2, 3]))
    recipe = text("phrase", context=MiniLM(units=4), within="sentence").prepare(tables, Workshop())
    fold = recipe.encode(tables, None)
    data = fold.train
    at = data.places[1]
    assert at == data.places[0] + 2
    assert len(data.context) == 4 + 2 + 4  # the part has no vectors of its own
    alone = text("phrase", context=MiniLM(units=4)).prepare(tables, Workshop()).encode(tables, None).train
    assert not torch.equal(data.context[at : at + 2], alone.context[4:6])
    assert fold.test.places.tolist() == [4, 6]


@pytest.mark.parametrize("recipe", [text("phrase", context=MiniLM(units=4)), pieces("phrase")])
def test_rows_that_nobody_prepared_are_written_as_the_train_rows_were(recipe):
    encoder = recipe.encoder
    encoder.fit(pd.DataFrame({"phrase": ["not a good film", "a bank"]}), np.zeros(2))
    new, alone = (encoder.transform(pd.DataFrame({"phrase": phrases})) for phrases in (["a film", "cats"], ["a film"]))
    some = len(alone.context)
    assert np.abs(new.context[:some].astype(int) - alone.context).max() <= 2  # bfloat16
    nothing = encoder.transform(pd.DataFrame({"phrase": []}))
    assert nothing.context.shape == (0, alone.context.shape[1])
