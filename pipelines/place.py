"""Place: where a training computes. That names its key, and on most machines it is known without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.config import Precision

DEVICES = Path("/dev")
GPUS = ("nvidia*", "nvhost*", "dxg", "kfd")  # what drivers put there: NVIDIA's, Tegra's, those under WSL, AMD's


def check_device(name: str) -> None:
    """Refuses a device that is none, or not there; see `models.devices.resolve`."""
    device_type(name)


def device_type(name: str) -> str:
    """The type of the device of a name, `cpu` or `cuda`; see `models.devices.resolve`."""
    if name == "cpu" or (name == "auto" and not may_have_gpu()):
        return "cpu"
    from models.devices import resolve  # torch knows

    return resolve(name).type


def place_of(name: str, precision: Precision) -> str:
    """The type of the device of a name, and whether matrix products round their factors there."""
    from models.config import Precision

    if precision is Precision.FULL:
        return device_type(name)
    from models.devices import resolve, rounds

    device = resolve(name)
    return device.type + ("-rounded" if rounds(precision, device) else "")


def may_have_gpu() -> bool:
    """Whether torch could find a GPU; without a driver's device it finds none."""
    return sys.platform != "linux" or any(any(DEVICES.glob(each)) for each in GPUS)
