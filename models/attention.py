"""Attention: the config of the upper layers of a language model, tuned, over what its lower layers make of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.config import MOST_DROPOUT, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from models.network import Network
    from models.pack import Form


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Config):
    """Layers of self-attention that were trained elsewhere, pooled states, and a hidden layer."""

    heads: int = 12  # of a layer
    head: int = 128  # units of the hidden layer after the pooling; 0: none
    tuned: float = 0.1  # learning rate of the layers, as a share of lr
    dropout: float = 0.1  # of what a layer adds, the same for all tokens of a row
    head_dropout: float = 0.2  # of the pooled states, and after the hidden layer

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("heads", 1), ("head", 0), ("tuned", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"takes {name} of {least} or more, but got {name}={getattr(self, name)}")
        for name in ("dropout", "head_dropout"):
            if not 0 <= getattr(self, name) <= MOST_DROPOUT:
                raise ValueError(f"takes {name} from 0 to {MOST_DROPOUT}, but got {name}={getattr(self, name)}")

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> Network:
        """See `Config.networks`."""
        from models.attention_network import Transformer

        return Transformer(self, form, outputs, generators)
