"""Keep: where the state of a training lies, so that a killed one can go on to the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

State = dict[str, Tensor]


class Keep(Protocol):
    """Stores and gives back a state; where, and how often, is for its maker to say."""

    def load(self) -> State | None:
        """The state that was stored last; None at the first start."""
        ...

    def save(self, state: Callable[[], State]) -> None:
        """Told after every epoch, and within long ones; calls `state` when it wants to store one."""
        ...


class Nowhere:
    """Keeps nothing."""

    def load(self) -> State | None:
        """Nothing was stored."""
        return None

    def save(self, state: Callable[[], State]) -> None:
        """Stores nothing."""


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> State:
    """A part's state, with its name in front."""
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


def part(prefix: str, state: Mapping[str, Tensor]) -> State:
    """What `prefixed` put into a state; empty where the part is not there."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
