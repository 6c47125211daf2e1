"""Texts to tokens: words are learned from train rows, and known words keep what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
import torch

from data.codes import UNSEEN
from data.errors import BadDataError, UnavailableError, UsageError
from data.tables import Tables, ingest
from features.characters import Characters
from features.context import MiniLM
from features.frequencies import WordFreq
from features.lexicons import Afinn, TextBlob, Vader, WordLlama
from features.recipe import ROW, Workshop
from features.text import text
from features.vectors import GloVe, WordVectors
from tests.toy import SCHEMA, SPLIT, TOY

ODD = ["None", "", "   ", "\U0001f600 great \U0001f600", "one, two,three", "a\u00a0b", "NaN null", "x" * 5000]


@dataclass(frozen=True, kw_only=True)
class Listed(WordVectors):
    """Vectors of a few words; not there when there are none."""

    words: tuple[tuple[str, float], ...] = ()

    def origin(self) -> str | None:
        return "listed 1.0" if self.words else None

    def find(self, words):
        known = dict(self.words)
        return np.array([[known.get(word, np.nan)] * 2 for word in words], dtype=np.float32).reshape(-1, 2)


def encoded(train: list[str], test: list[str], **arguments):
    encoder = text("phrase", **arguments).encoder
    found = encoder.fit_transform(pd.DataFrame({"phrase": train}), np.zeros(len(train)))
    others = encoder.transform(pd.DataFrame({"phrase": test}))
    blank = np.zeros(len(train), dtype=np.int64), np.zeros(len(test), dtype=np.int64)
    return encoder, encoder.dataset(found, blank[0]), encoder.dataset(others, blank[1])


def tables_of_texts(train: list[str], test: list[str]) -> Tables:
    """Tables of two folds."""
    return replace(
        ingest(TOY.raw, SCHEMA, SPLIT),
        train=pd.DataFrame({"phrase": train}),
        test=pd.DataFrame({"phrase": test}),
        target=np.arange(len(train)) % 2,
        fold=(np.arange(len(train)) % 2).astype(np.int8),
    )


def words_of(encoder, data) -> list[list[str]]:
    named = ["<padding>", "<unseen>", *encoder.words_]
    return [[named[token] for token in row.tolist()] for row, _ in (data[number] for number in range(len(data)))]


def test_words_of_train_rows_are_learned_and_others_are_unseen():
    encoder, train, test = encoded(["The film", "a Film"], ["the cat", "dog"])
    assert words_of(encoder, train) == [["the", "film"], ["a", "film"]]
    assert words_of(encoder, test) == [["the", "<unseen>"], ["<unseen>"]]
    assert len(encoder.words_) == 3
    assert encoded(["The the"], [""], lower=False)[1].input.unique().numel() == 2


def test_a_text_without_words_is_a_word_of_its_own():
    encoder, train, test = encoded(["good", "", "  "], ["", "bad"])
    assert words_of(encoder, train) == [["good"], [""], [""]]
    assert words_of(encoder, test) == [[""], ["<unseen>"]]
    assert encoded(["good"], [""])[2].input.tolist() == [UNSEEN]


def test_rare_words_are_unseen_unless_something_is_known_of_them():
    known = Listed(words=(("rare", 1.0), ("other", 2.0)))
    encoder, train, _ = encoded(["common rare odd", "common"], ["other"], least=2, vectors=[known])
    assert words_of(encoder, train) == [["common", "rare", "<unseen>"], ["common"]]
    rare = encoder.vectors_[2 + encoder.words_.index("rare")]
    assert rare.tolist() == [1.0, 1.0]
    assert np.isnan(encoder.vectors_[[0, 1, 2 + encoder.words_.index("common")]]).all()


def test_words_of_other_rows_keep_their_vector():
    known = Listed(words=(("cat", 1.0), ("nowhere", 2.0)))
    tables = tables_of_texts(["the film", "a film", "the dog", "a dog"], ["the cat", "the bird"])
    recipe = text("phrase", vectors=[known]).prepare(tables, Workshop())
    fold = recipe.encode(tables, 0)
    (cat,) = fold.test[0][0][1:].tolist()
    assert fold.test.vectors[cat].tolist() == [1.0, 1.0]
    assert fold.test[1][0][1] == UNSEEN
    assert len(fold.train.vectors) == len(fold.test.vectors) == max(fold.train.input.max(), cat) + 1
    assert recipe.origins() == ("listed 1.0",)
    assert text("phrase", vectors=[Listed()]).origins() == ()


def test_texts_are_cut_after_the_longest():
    _, train, test = encoded(["a b c d", "a"], ["word " * 20_000], longest=3)
    assert train.offsets.diff().tolist() == [3, 1]
    assert test.offsets.diff().tolist() == [3]


def test_odd_texts_have_tokens():
    encoder, train, test = encoded(ODD, ODD)
    assert torch.equal(train.input, test.input)
    assert (train.offsets.diff() > 0).all()
    assert "none" in encoder.words_
    assert "\U0001f600" in encoder.words_


def test_ngrams_stand_after_the_words_when_they_were_learned():
    encoder, train, test = encoded(["not a good film", "a good"], ["a good cat"], ngrams=3, least=2)
    assert words_of(encoder, train) == [["<unseen>", "a", "good", "<unseen>", "a good"], ["a", "good", "a good"]]
    assert words_of(encoder, test) == [["a", "good", "<unseen>", "a good"]]
    known = Listed(words=(("good", 1.0), ("a good", 2.0)))
    encoder, train, _ = encoded(["a good"], ["a"], ngrams=2, vectors=[known])
    given = {word: encoder.vectors_[2 + place].tolist() for place, word in enumerate(encoder.words_)}
    assert given["good"] == [1.0, 1.0]
    assert np.isnan(given["a good"]).all()
    with pytest.raises(ValueError, match="ngrams=2"):
        text("phrase", ngrams=2, context=MiniLM())


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="least=0"):
        text("phrase", least=0)
    with pytest.raises(UsageError, match="'phrase', but there are words"):
        text("phrase").encoder.fit_transform(pd.DataFrame({"words": ["a"]}), np.zeros(1))


def test_a_file_of_vectors_is_read_in_gloves_format(tmp_path, monkeypatch):
    file = tmp_path / "vectors.txt"
    file.write_text("film 1 2 3\n. . . 4 5 6\ncaf\u00e9 7 8 9\n", encoding="utf-8")
    monkeypatch.setenv("WORD_VECTORS", str(file))
    found = GloVe().find(["caf\u00e9", "cat", ". . .", "film"])
    np.testing.assert_array_equal(found, [[7, 8, 9], [np.nan] * 3, [4, 5, 6], [1, 2, 3]])
    origin = GloVe().origin()
    assert origin.startswith("vectors.txt ")
    file.write_text("3 3\n" + file.read_text(encoding="utf-8"), encoding="utf-8")  # as word2vec writes it
    np.testing.assert_array_equal(GloVe().find(["film"]), [[1, 2, 3]])
    assert GloVe().origin() != origin
    file.write_text("film 1 2 3\n", encoding="utf-8-sig")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORD_VECTORS", "~/vectors.txt")
    np.testing.assert_array_equal(GloVe().find(["film"]), [[1, 2, 3]])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("film 1 2\ncat 3\n", "row 2: 2 cells where a word and 2 numbers are expected"),
        ("film 1\ncat 3 4\n", "row 2: 3 cells"),
        ("film 1 2\ncat  3 4\n", "row 2: 4 cells"),
        ("2 3\nfilm 1 2\n", "row 2: 3 cells where a word and 3 numbers are expected"),
        ("film 1 x\n", "'film' is not made of numbers"),
        ("film 1 nan\n", "row 1: the vector of 'film' has a number that is not finite"),
        ("dog 1 2\nfilm 1 1e300\n", "row 2: the vector of 'film' has a number that is not finite"),
        ("film\n", "row 1"),
        ("film pelicula\n", "row 1: the vector of 'film' is not made of numbers"),
        ("", "row 1: the file ends without a word and its numbers"),
        ("400000 50\n", "row 1: the file ends"),
    ],
)
def test_a_broken_file_of_vectors_is_named_with_its_row(tmp_path, monkeypatch, content, what):
    file = tmp_path / "vectors.txt"
    file.write_text(content)
    monkeypatch.setenv("WORD_VECTORS", str(file))
    with pytest.raises(BadDataError, match=what):
        GloVe().find(["film", "cat"])
    monkeypatch.setenv("WORD_VECTORS", str(tmp_path / "none.txt"))
    with pytest.raises(UnavailableError, match=r"none\.txt: there is no such file"):
        GloVe().origin()
    monkeypatch.setenv("WORD_VECTORS", str(tmp_path))
    with pytest.raises(UnavailableError, match="that is a folder"):
        GloVe().origin()


SOURCES = {
    GloVe(): 50,
    Vader(): 2,
    Afinn(): 1,
    TextBlob(): 2,
    WordLlama(units=8): 8,
    Characters(units=8): 8,
    WordFreq(languages=("de", "en")): 2,
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_packages_know_good_words_from_bad_ones(source):
    words = ["wonderful", "terrible", "table", "wonderful"]
    found = source.find(words)
    assert found.shape == (4, SOURCES[source])
    assert found.dtype == np.float32
    assert np.array_equal(found[0], found[3])
    assert np.abs(found[0] - found[1]).max() > 0.1
    np.testing.assert_allclose(source.find(words[:1]), found[:1], atol=1e-6)  # whatever else is looked up
    assert source.origin().startswith(f"{source.package} {metadata.version(source.package)}")


def test_words_are_told_by_the_languages_that_use_them(monkeypatch):
    source = WordFreq(languages=("cs", "ru", "vi"))
    found = source.find(["Dvořák", "dvorak", "kuznetsov", "nguyen", "qqzzq", "", "a" * 99])
    assert found[0].tolist() == found[1].tolist()
    assert np.nanargmax(found[1:4], axis=1).tolist() == [0, 1, 2]
    assert np.isnan(found[4:]).all()
    assert np.nanmax(found) < 5
    assert source.find([]).shape == (0, 3)
    monkeypatch.setattr(WordFreq, "romanising", "no-such-package")
    assert source.origin() is None
    assert source.missing == "no WordFreq (pip install wordfreq no-such-package)"


def test_words_spelled_alike_have_vectors_alike():
    wonderful, wonderfully, terrible = Characters().find(["wonderful", "wonderfully", "terrible"])
    assert wonderful @ wonderfully > 2 * abs(wonderful @ terrible)
    encoder, _, test = encoded(["good film"], ["goodish films"], vectors=[Characters()])
    assert words_of(encoder, test) == [["<unseen>", "<unseen>"]]  # until `prepare` has looked the words up
    recipe = text("phrase", vectors=[Characters()]).prepare(tables_of_texts(["good film"], ["goodish"]), Workshop())
    assert (recipe.encode(tables_of_texts(["good film"], ["goodish"]), None).test.input != UNSEEN).all()


def test_a_package_that_is_not_installed_adds_nothing(monkeypatch):
    monkeypatch.delenv("WORD_VECTORS", raising=False)
    monkeypatch.setattr(GloVe, "package", "no-such-package")
    assert GloVe().origin() is None
    (notice,) = text("phrase", vectors=[GloVe(), Vader()]).notices()
    assert (
        notice == "no GloVe (pip install no-such-package, or name a file by WORD_VECTORS): words are learned without it"
    )
    _, train, _ = encoded(["good film"], ["film"], vectors=[GloVe()])
    assert train.vectors.shape == (4, 0)


def test_characters_are_read_with_what_is_known_of_their_word(monkeypatch):
    class Two(WordVectors):
        package = "numpy"

        def find(self, words):
            known = {"ann": (0.5, -9.0), "lee": (0.25, 0.0)}
            return np.array([known.get(word, (np.nan, np.nan)) for word in words], dtype=np.float32)

    rows = pd.DataFrame({"name": ["Änn Lee", "x", ""], ROW: [0, 1, 2]})
    encoder = text("name", characters=True, vectors=[Two()]).encoder
    found = encoder.fit_transform(rows, np.zeros(3))
    assert np.diff(found.offsets).tolist() == [7, 1, 1]
    assert found.context.tolist() == [
        *[[20, -128, 100]] * 3, [0, 0, 0], *[[10, 0, 100]] * 3, [0, 0, 0], [0, 0, 0],
    ]  # fmt: skip
    assert encoder.transform(rows[:1]).context.tolist() == found.context[:7].tolist()
    monkeypatch.setattr(Two, "package", "not_installed")
    with pytest.raises(UnavailableError, match="these networks learned with other ones"):
        encoder.transform(rows[:1])


def test_a_character_that_no_train_row_has_is_unseen():
    encoder = text("name", characters=True).encoder
    encoder.fit_transform(pd.DataFrame({"name": ["ab", "ba"]}), np.zeros(2))
    assert encoder.transform(pd.DataFrame({"name": ["aQ"]})).tokens.tolist() == [encoder.vocabulary_.token["a"], UNSEEN]
