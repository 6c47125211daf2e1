"""Devices by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from data.errors import UnavailableError, UsageError
from data.hardware import has_bfloat16
from models.config import Precision

NAMES = ("auto", "cpu", "cuda")
CORES = torch.get_num_threads()  # as torch found them at the start
LARGE = 2**25  # products a step from which a second core pays (docs/benchmarks.md); small packs it may slow 40 times


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


def rounds(precision: Precision, device: torch.device) -> bool:
    """Whether matrix products on the device may round their factors."""
    return precision is Precision.FAST and has_bfloat16(device)


@contextmanager
def matmul_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Computes matrix products of float32 tensors as `Precision` says, and convolutions on CUDA."""
    before, convolved = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    fast = "high" if device.type == "cuda" else "medium"  # TF32, or bfloat16 factors with float32 sums
    torch.set_float32_matmul_precision(fast if rounds(precision, device) else "highest")
    torch.backends.cudnn.allow_tf32 = rounds(precision, device)  # of convolutions; torch rounds unless told
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolved


@contextmanager
def threads(products: int) -> Iterator[None]:
    """Computes steps of so many products (of a weight and a number of a row) on as many cores as pay."""
    before = torch.get_num_threads()
    torch.set_num_threads(CORES if products >= LARGE else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
