"""Context: what a language model makes of each word in its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from data.datasets import CONTEXT_STEP
from features.minilm import TEXTS, OfMiniLM, Reader, Texts, reader_of

SAMPLE = 20_000  # words, about, that the axes are learned from
LEAST = 1e-12  # variance of an axis
SPREAD = 0.3  # standard deviation along an axis, about that of GloVe's numbers; four of them fit


@dataclass(frozen=True, kw_only=True)
class MiniLM(OfMiniLM):
    """Layers of the model, which stay as they are.

    The pieces of a word are averaged, and brought to the axes in which the words of some of the texts differ most, all
    of one spread.
    """

    layers: tuple[int, ...] = (4, 6)  # side by side, 384 units each; 0: the pieces' own vectors; 6: the last
    units: int = 128  # axes

    def axes(self, texts: Texts, device: torch.device) -> np.ndarray:
        """The mean of some of the texts' words, and the axes in which they differ most.

        Shape: float32 [1 + 384 x layers, units], or fewer units where there are fewer words; the mean comes first, and
        as it lies along the axes
        """
        apart = max(1, sum(map(len, texts)) // SAMPLE)
        sample = self._words(reader_of(device, max(self.layers)), texts[::apart])
        x = torch.cat([vectors for _, vectors in sample]).double()
        center = x.mean(dim=0)
        values, axes = torch.linalg.eigh((x - center).T @ (x - center) / len(x))
        turn = axes[:, -self.units :] * (SPREAD / values[-self.units :].clamp_min(LEAST).sqrt())
        return torch.cat([center[None] @ turn, turn]).flip(1).float().cpu().numpy()

    def encode(
        self, texts: Texts, axes: np.ndarray, device: torch.device, watch: Callable[[float], None]
    ) -> np.ndarray:
        """The vector of every word of every text, end to end, in `CONTEXT_STEP`s, int8 [words, units].

        Args:
            texts: of words.
            axes: from `axes`, of these texts or of others.
            device: where to compute.
            watch: told what share is done.
        """
        reader = reader_of(device, max(self.layers))
        starts = np.cumsum([0, *map(len, texts)])
        center, turn = torch.from_numpy(np.array(axes)).to(device).split([1, len(axes) - 1])
        found = np.zeros((starts[-1], axes.shape[1]), dtype=np.int8)
        for first in range(0, len(texts), TEXTS):
            for places, vectors in self._words(reader, texts[first : first + TEXTS]):
                found[starts[first] + places] = (
                    (vectors @ turn - center).div_(CONTEXT_STEP).round_().clamp_(-127, 127).cpu()
                )
            watch(min(1.0, (first + TEXTS) / len(texts)))
        return found

    def _words(self, reader: Reader, texts: Texts) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Places of words in the texts, end to end, and their vectors, float32 [words, 384 x layers]."""
        starts = np.cumsum([0, *map(len, texts)])
        encoded = reader.pieces(texts)
        for rows, states in reader.states([each.ids for each in encoded], self.layers):
            words = np.array([_words_of(encoded[row].word_ids, starts[row]) for row in rows]).ravel()
            yield _means(words, states.flatten(0, 1))


def _words_of(word_ids: Sequence[int | None], start: int) -> list[int]:
    """The place of each piece's word; -1 for pieces of none."""
    return [-1 if word is None else start + word for word in word_ids]


def _means(words: np.ndarray, vectors: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """The words that have pieces, which stand side by side, and the means of their vectors."""
    held = np.flatnonzero(words >= 0)
    places, pieces = np.unique(words[held], return_inverse=True)
    at = torch.from_numpy(pieces).to(vectors.device)
    sums = vectors.new_zeros(len(places), vectors.shape[1])
    sums.index_add_(0, at, vectors[torch.from_numpy(held).to(vectors.device)])
    return places, sums / at.bincount().unsqueeze(1)
