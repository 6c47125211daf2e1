"""Latest: what the encoders of all folds share, and what was made last, for whoever asks for the same right after."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Self, TypeVar

Made = TypeVar("Made")


class Uncopied:
    """Is not copied where scikit-learn clones what holds it, as the encoder of every fold."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class Latest(Uncopied, Generic[Made]):
    """Remembers one thing: the encoders of all folds, which share it, are asked for the same rows one after another."""

    def __init__(self) -> None:
        self._held: tuple[Hashable, Made] | None = None

    def __call__(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What was made for the key the last time, or is made now."""
        held = self._held
        if held is None or held[0] != key:
            held = self._held = (key, make())
        return held[1]

    def __getstate__(self) -> dict[str, object]:
        return {"_held": None}  # is not kept
