"""Workshop: prepares recipes, and keeps what takes long to make as files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from data.files import beside
from data.hardware import has_bfloat16
from features.recipe import Make, Workshop
from pipelines import console, keys

DIGEST = hashlib.sha256().digest_size  # bytes, after an array's own: NumPy reads no further than it must
BLOCK = 2**20  # bytes that are hashed at once


class KeptWorkshop(Workshop):
    """Keeps every array as a file, and reads it page by page where it is needed.

    Args:
        folder: of the files.
        device: where to compute what is worth it.
    """

    def __init__(self, folder: Path, device: torch.device | str) -> None:
        super().__init__(device)
        self.folder = folder
        self.made_by = keys.array_key(self.device.type + ("-rounded" if has_bfloat16(self.device) else ""))[:8]

    def array(self, key: str, make: Make, title: str = "") -> np.ndarray:
        """See `Workshop.array`."""
        path = self.folder / f"{key}-{self.made_by}.npy"
        if path.is_file():
            if _whole(path):
                return np.load(path, mmap_mode="c")  # nothing that is written reaches the file
            console.warn(f"{path}: damaged: making it again")
        with console.share(title or key) as watch:
            made = make(watch)
        with beside(path) as part:
            with part.open("wb") as stream:
                np.save(stream, made, allow_pickle=False)
            digest = _digest(part, part.stat().st_size)
            with part.open("ab") as stream:
                stream.write(digest)
        return np.load(path, mmap_mode="c")


def _whole(path: Path) -> bool:
    """Whether a file ends with the hash of what stands before it."""
    size = path.stat().st_size - DIGEST
    if size < 0:
        return False
    with path.open("rb") as stream:
        stream.seek(size)
        return stream.read() == _digest(path, size)


def _digest(path: Path, size: int) -> bytes:
    """Of a file's first bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while (left := size - stream.tell()) > 0:
            digest.update(stream.read(min(BLOCK, left)))
    return digest.digest()
