"""Latest: what was made last, for whoever asks for the same right after."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Latest(Generic[Made]):
    """Remembers one thing: the encoders of all folds, which share it, are asked for the same rows one after another."""

    def __init__(self) -> None:
        self._held: tuple[Hashable, Made] | None = None

    def __call__(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What was made for the key the last time, or is made now."""
        held = self._held
        if held is None or held[0] != key:
            held = self._held = (key, make())
        return held[1]

    def __deepcopy__(self, memo: dict[int, object]) -> Latest[Made]:
        return self  # it is shared: scikit-learn clones what holds it

    def __getstate__(self) -> dict[str, object]:
        return {"_held": None}  # is not kept
