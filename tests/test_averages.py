"""The recipe of averages: what is known of a text's words, whatever other rows hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

from data.errors import UnavailableError, UsageError
from features.averages import averages
from features.beside import SPREAD
from features.characters import Characters
from features.lexicons import MiniLMParts
from features.recipe import Workshop
from features.vectors import WordVectors
from pipelines.encoders import Encoders
from tests.test_text import tables_of_texts

ROWS = pd.DataFrame({"name": ["Änn Lee", "lee", "who", ""]})


@dataclass(frozen=True, kw_only=True)
class Two(WordVectors):
    """Vectors of two words."""

    package = "numpy"

    def find(self, words):
        known = {"ann": (0.5, -9.0), "lee": (0.25, 0.0)}
        return np.array([known.get(word, (np.nan, np.nan)) for word in words], dtype=np.float32).reshape(-1, 2)


def fitted(*vectors):
    encoder = averages("name", vectors=vectors).encoder
    return encoder, encoder.fit_transform(ROWS, np.zeros(len(ROWS)))


def test_what_is_known_of_words_is_averaged_over_a_text():
    encoder, found = fitted(Two())
    spread = [SPREAD, SPREAD, 1]
    expected = np.array([[0.375, -4.5, 1], [0.25, 0, 1], [0, 0, 0], [0, 0, 0]]) * spread
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(encoder.transform(ROWS[1:2]), found[1:2])
    assert encoder.transform(ROWS[:0]).shape == (0, 3)
    assert averages("name", vectors=[Two()]).text == "name"


def test_words_are_looked_up_once_for_all_folds(monkeypatch):
    tables = tables_of_texts(["Ann Lee", "lee", "who", "ann"], ["lee ann"])
    asked = []
    find = Two.find
    monkeypatch.setattr(Two, "find", lambda self, words: asked.append(words) or find(self, words))
    recipe = averages("phrase", vectors=[Two()])
    once = recipe.prepare(tables, Workshop())
    for fold in (0, 1, None):
        again, found = recipe.encode(tables, fold), once.encode(tables, fold)
        for part in ("train", "valid", "test"):
            assert torch.equal(getattr(again, part).input, getattr(found, part).input)
    assert len(asked) == 1 + 3 * 3
    encoder, _ = once.fit(tables, None)
    assert encoder.known is None


def test_words_spelled_alike_have_columns_alike():
    _, found = fitted(Two(), Characters(units=256, pieces=(1, 3)))
    assert found.shape == (4, 3 + 257)
    lee, whole, who = found[1, 3:-1], found[0, 3:-1], found[2, 3:-1]
    assert lee @ whole > 2 * abs(lee @ who)


def test_the_parts_of_words_have_vectors():
    found = MiniLMParts(units=16).find(["smith", "blacksmith", "nguyen", "smith"])
    assert found.shape == (4, 16)
    np.testing.assert_allclose(MiniLMParts(units=16).find(["smith"]), found[3:], atol=1e-6)
    apart = np.linalg.norm(found - found[0], axis=1)
    assert 0 < apart[1] < apart[2]
    assert MiniLMParts(units=16).find([]).shape == (0, 16)


def test_a_run_keeps_the_recipe(tmp_path):
    encoder, found = fitted(Characters(units=16))
    Encoders(folds=[encoder], whole=None).write(tmp_path / "encoders", ROWS)
    (again,) = Encoders.read(tmp_path / "encoders").all
    np.testing.assert_array_equal(again.transform(ROWS), found)
    data = again.dataset(found, np.zeros(4, dtype=np.int64))
    assert data.input.shape == found.shape


def test_what_is_missing_is_told(monkeypatch):
    encoder, _ = fitted(Two(), Characters(units=16))
    monkeypatch.setattr(Two, "package", "not_installed")
    with pytest.raises(UnavailableError, match=r"no Two .*these networks learned with other ones"):
        encoder.transform(ROWS)
    recipe = averages("name", vectors=[Two(), Characters()])
    assert recipe.notices() == ("no Two (pip install not_installed): texts are read without it",)
    assert [origin.split()[0] for origin in recipe.origins()] == ["scikit-learn"]
    with pytest.raises(UsageError, match="'name', but there are word"):
        averages("name", vectors=[Characters()]).encoder.fit_transform(ROWS.rename(columns={"name": "word"}), None)
    with pytest.raises(ValueError, match="got none"):
        averages("name", vectors=[])
