"""Memory: how the process holds what tensors give back."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)
HELD = 2**25  # bytes: tensors that are larger go back to the system, the most that glibc allows
LARGEST = 2**31 - 1


def hold_freed_memory() -> None:
    """Lets glibc hand the memory of freed tensors out again, instead of returning it to the system and asking anew.

    Large tensors otherwise get fresh pages in every step, whose faults were measured at a tenth of an epoch of 5
    networks of Otto's size and at more than a third of 20. Does nothing where the C library has no `mallopt`.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, HELD)
        mallopt(TRIM_THRESHOLD, LARGEST)


def give_back_freed_memory() -> None:
    """Returns to the system what is free just now, in some hundredths of a second.

    Tensors of texts have another size in every step, which leaves holes: without this they were seen to grow by more
    than a gigabyte an epoch.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
