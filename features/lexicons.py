"""Lexicons: what people, and language models, say of words, as vectors beside those of the words' company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from safetensors import safe_open

from features.minilm import OfMiniLM, folder
from features.vectors import WordVectors, folder_of

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
        place = folder_of("wordllama")
        weights = place / "weights" / "l2_supercat_256.safetensors"
        tokens = place / "tokenizers" / "l2_supercat_tokenizer_config.json"
        return _of_parts(words, tokens, weights, "embedding.weight", self.units)


@dataclass(frozen=True, kw_only=True)
class MiniLMParts(OfMiniLM, WordVectors):
    """The vectors that MiniLM begins with of a word's parts, as WordLlama's."""

    units: int = 128  # kept of 384

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`."""
        weights, tokens = folder() / "model.safetensors", folder() / "tokenizer.json"
        return _of_parts(words, tokens, weights, "embeddings.word_embeddings.weight", self.units)


def _of_parts(words: Sequence[str], tokens: Path, weights: Path, name: str, units: int) -> np.ndarray:
    """The mean of the vectors of each word's parts, float32 [words, units], along the axes in which tokens differ most.

    Args:
        words: any.
        tokens: the file that says into which tokens words are cut.
        weights: the file that holds the tokens' vectors.
        name: of them there.
        units: that are kept.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokens))
    tokenizer.no_padding()
    turned = _turned(weights, name, units)
    parts = [each.ids for each in tokenizer.encode_batch(list(words), add_special_tokens=False)]
    means = [turned[ids].mean(axis=0) if ids else 0 * turned[0] for ids in parts]
    return np.array(means, dtype=np.float32).reshape(-1, units)


@lru_cache(maxsize=4)
def _turned(weights: Path, name: str, units: int) -> np.ndarray:
    """All tokens' vectors along the axes in which they differ most, float32 [tokens, units]."""
    with safe_open(weights, framework="numpy") as file:
        table = file.get_tensor(name)
    table = table.astype(np.float32) - table.mean(axis=0, dtype=np.float32)
    turned: np.ndarray = table @ np.linalg.eigh(table.T @ table)[1][:, ::-1][:, :units]
    turned *= SPREAD / turned.std()
    return turned


def rows_of(rated: Mapping[str, tuple[float, ...]], words: Sequence[str], units: int) -> np.ndarray:
    """What a lexicon says of the words, float32 [words, units]; zeros where it says nothing."""
    return np.array([rated.get(word, (0.0,) * units) for word in words], dtype=np.float32).reshape(-1, units)
