"""Devices by name."""

from __future__ import annotations

import torch

from data.errors import UnavailableError, UsageError

NAMES = ("auto", "cpu", "cuda")


def resolve(name: str) -> torch.device:
    """The device of a name; `auto` is the GPU where there is one.

    Raises:
        UsageError: no such name.
        UnavailableError: a GPU was asked for and torch sees none.
    """
    if name not in NAMES:
        raise UsageError(f"DEVICE takes {', '.join(NAMES)}, but got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("DEVICE=cuda, but torch sees no CUDA device: check the driver, or take DEVICE=auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
