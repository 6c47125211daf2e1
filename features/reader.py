"""Reader: MiniLM at work; what its layers make of pieces of words, and of words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.codes import CONTEXT_STEP
from data.hardware import has_bfloat16
from features.minilm import TEXTS, Texts, folder

TOKENS = 2**13  # word pieces that are computed at once
SAMPLE = 20_000  # words, about, that the axes are learned from
LEAST = 1e-12  # variance of an axis
SPREAD = 0.3  # standard deviation along an axis, about that of GloVe's numbers; four of them fit


class Reader:
    """The model, loaded.

    Args:
        device: where to compute.
        depth: layers that are wanted, from below.
    """

    def __init__(self, device: torch.device, depth: int) -> None:
        from tokenizers import Tokenizer
        from transformers import BertModel
        from transformers.utils import logging

        self.device = device
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        dtype = torch.bfloat16 if has_bfloat16(device) else torch.float32
        model = BertModel.from_pretrained(
            folder(), num_hidden_layers=max(1, depth), add_pooling_layer=False, dtype=dtype
        )
        self.model = model.eval().to(device)
        self.tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.model.config.max_position_embeddings)

    def pieces(self, texts: Texts) -> list[Any]:
        """Each text's pieces of words, between a first and a last one that stand for no word."""
        found: list[Any] = self.tokenizer.encode_batch([list(text) for text in texts], is_pretokenized=True)
        return found

    @torch.no_grad()
    def states(
        self, texts: Sequence[Sequence[int] | np.ndarray], layers: Sequence[int]
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """What layers make of pieces, side by side; 0: the pieces' own vectors, 6: the last.

        Args:
            texts: of pieces' numbers.
            layers: by number.

        Yields:
            Some texts of one length, by number, and float32 [texts, pieces, 384 x layers].
        """
        for rows in _of_one_length([len(text) for text in texts]):
            pieces = torch.tensor(np.array([texts[row] for row in rows]), device=self.device)
            states = self.model(input_ids=pieces, output_hidden_states=True).hidden_states
            yield rows, torch.cat([states[layer].float() for layer in layers], dim=2)

    def spread(self, texts: Sequence[np.ndarray], layer: int) -> np.ndarray:
        """The mean and the standard deviation of each unit of a layer over the texts' pieces, float64 [2, units]."""
        states = torch.cat([made.flatten(0, 1) for _, made in self.states(texts, [layer])]).double()
        return torch.stack([states.mean(dim=0), states.std(dim=0, correction=0)]).cpu().numpy()

    def axes(self, texts: Texts, layers: Sequence[int], units: int) -> np.ndarray:
        """See `MiniLM.axes`."""
        apart = max(1, sum(map(len, texts)) // SAMPLE)
        x = torch.cat([vectors for _, vectors in self._words(texts[::apart], layers)]).double()
        center = x.mean(dim=0)
        values, axes = torch.linalg.eigh((x - center).T @ (x - center) / len(x))
        turn = axes[:, -units:] * (SPREAD / values[-units:].clamp_min(LEAST).sqrt())
        return torch.cat([center[None] @ turn, turn]).flip(1).float().cpu().numpy()

    def encode(
        self, texts: Texts, layers: Sequence[int], axes: np.ndarray, watch: Callable[[float], None]
    ) -> np.ndarray:
        """See `MiniLM.encode`."""
        starts = np.cumsum([0, *map(len, texts)])
        center, turn = torch.from_numpy(np.array(axes)).to(self.device).split([1, len(axes) - 1])
        found = np.zeros((starts[-1], axes.shape[1]), dtype=np.int8)
        for first in range(0, len(texts), TEXTS):
            for places, vectors in self._words(texts[first : first + TEXTS], layers):
                found[starts[first] + places] = (
                    (vectors @ turn - center).div_(CONTEXT_STEP).round_().clamp_(-127, 127).cpu()
                )
            watch(min(1.0, (first + TEXTS) / len(texts)))
        return found

    def _words(self, texts: Texts, layers: Sequence[int]) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Places of words in the texts, end to end, and their vectors, float32 [words, 384 x layers]."""
        starts = np.cumsum([0, *map(len, texts)])
        encoded = self.pieces(texts)
        for rows, states in self.states([each.ids for each in encoded], layers):
            words = np.array([_words_of(encoded[row].word_ids, starts[row]) for row in rows]).ravel()
            yield _means(words, states.flatten(0, 1))


@cache
def reader_of(device: torch.device, depth: int) -> Reader:
    """A reader, loaded once."""
    return Reader(device, depth)


def _of_one_length(length_of: Sequence[int]) -> list[np.ndarray]:
    """All rows, in groups of one length, so that none is padded; int64 [rows of the group] each."""
    lengths = np.array(length_of, dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    groups = []
    for own in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if len(order) else []:
        most = max(1, TOKENS // max(1, int(lengths[own[0]])))
        groups += [own[start : start + most] for start in range(0, len(own), most)]
    return groups


def _words_of(word_ids: Sequence[int | None], start: int) -> list[int]:
    """The place of each piece's word; -1 for pieces of none."""
    return [-1 if word is None else start + word for word in word_ids]


def _means(words: np.ndarray, vectors: Tensor) -> tuple[np.ndarray, Tensor]:
    """The words that have pieces, which stand side by side, and the means of their vectors."""
    held = np.flatnonzero(words >= 0)
    places, pieces = np.unique(words[held], return_inverse=True)
    at = torch.from_numpy(pieces).to(vectors.device)
    sums = vectors.new_zeros(len(places), vectors.shape[1])
    sums.index_add_(0, at, vectors[torch.from_numpy(held).to(vectors.device)])
    return places, sums / at.bincount().unsqueeze(1)
