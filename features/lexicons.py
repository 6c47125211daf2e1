"""Lexicons: what people, and language models, say of words, as vectors beside those of the words' company."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from safetensors.numpy import load_file

from features.vectors import WordVectors, folder_of

SENTICNET = re.compile(r"senticnet\['([^']+)'\] = \[([^\]]*)\]")
SPREAD = 0.4  # standard deviation of WordLlama's numbers, about GloVe's


@dataclass(frozen=True, kw_only=True)
class Vader(WordVectors):
    """Mean rating of a word by ten people, and whether it has one (Hutto and Gilbert, 2014): 7,500 words."""

    package = "vaderSentiment"

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`; zeros where the lexicon lacks a word."""
        text = (folder_of("vaderSentiment") / "vader_lexicon.txt").read_text(encoding="utf-8")
        rated = (line.split("\t") for line in text.splitlines())
        return rows_of({word: (float(mean) / 2, 1.0) for word, mean, *_ in rated}, words, units=2)


@dataclass(frozen=True, kw_only=True)
class Afinn(WordVectors):
    """Rating of a word by its author (Nielsen, 2011): 3,400 words."""

    package = "afinn"

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`; zeros where the lexicon lacks a word."""
        text = (folder_of("afinn") / "data" / "AFINN-en-165.txt").read_text(encoding="utf-8")
        rated = (line.split("\t") for line in text.splitlines())
        return rows_of({word: (float(rating) / 2,) for word, rating in rated}, words, units=1)


@dataclass(frozen=True, kw_only=True)
class TextBlob(WordVectors):
    """Polarity and subjectivity of adjectives, from the pattern library (De Smedt and Daelemans, 2012): 2,900 words."""

    package = "textblob"

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`; zeros where the lexicon lacks a word."""
        file = folder_of("textblob") / "en" / "en-sentiment.xml"
        senses = ElementTree.parse(file).getroot()  # noqa: S314  # of a pinned package
        rated = {
            sense.attrib["form"]: (2 * float(sense.attrib["polarity"]), float(sense.attrib["subjectivity"]))
            for sense in senses
        }
        return rows_of(rated, words, units=2)


@dataclass(frozen=True, kw_only=True)
class WordLlama(WordVectors):
    """Token vectors of a language model, tuned on sentence pairs (https://github.com/dleemiller/WordLlama).

    A word's vector is the mean of its parts', so every word has one, turned to the axes along which tokens differ most.
    """

    package = "wordllama"

    units: int = 64  # kept of 256

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`."""
        from tokenizers import Tokenizer

        folder = folder_of("wordllama")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        (table,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
        table = table.astype(np.float32) - table.mean(axis=0, dtype=np.float32)
        turned = table @ np.linalg.eigh(table.T @ table)[1][:, ::-1][:, : self.units]
        turned *= SPREAD / turned.std()
        parts = [each.ids for each in tokenizer.encode_batch(list(words), add_special_tokens=False)]
        means = [turned[ids].mean(axis=0) if ids else 0 * turned[0] for ids in parts]
        return np.array(means, dtype=np.float32).reshape(-1, self.units)


def rows_of(rated: Mapping[str, tuple[float, ...]], words: Sequence[str], units: int) -> np.ndarray:
    """What a lexicon says of the words, float32 [words, units]; zeros where it says nothing."""
    return np.array([rated.get(word, (0.0,) * units) for word in words], dtype=np.float32).reshape(-1, units)
