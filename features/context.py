"""Context: what a language model makes of each word in its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.minilm import OfMiniLM, Texts

if TYPE_CHECKING:
    import torch


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
        return self.reader(device, max(self.layers)).axes(texts, self.layers, self.units)

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
        return self.reader(device, max(self.layers)).encode(texts, self.layers, axes, watch)
