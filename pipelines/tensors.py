"""Tensors as files of safetensors, whose errors are told as those of other files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from data.errors import StorageError


def write(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes named tensors.

    Raises:
        StorageError: it cannot be written, as where the disk is full.
    """
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    except SafetensorError as error:
        raise StorageError(f"{path}: cannot be written ({error})") from error


def read(path: Path) -> dict[str, Tensor]:
    """Reads what `write` wrote.

    Raises:
        StorageError: it is damaged or gone.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{path}: cannot be read ({error})") from error
