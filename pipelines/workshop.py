"""Workshop: prepares recipes, and keeps what takes long to make as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from data.files import beside
from features.recipe import Make, Workshop
from pipelines import console


class KeptWorkshop(Workshop):
    """Keeps every array as a file, and reads it page by page where it is needed.

    Args:
        folder: of the files.
        device: where to compute what is worth it.
    """

    def __init__(self, folder: Path, device: torch.device | str) -> None:
        super().__init__(device)
        self.folder = folder

    def array(self, key: str, make: Make, title: str = "") -> np.ndarray:
        """See `Workshop.array`."""
        path = self.folder / f"{key}.npy"
        if path.is_file():
            try:
                return np.load(path, mmap_mode="c")  # nothing that is written reaches the file
            except (OSError, ValueError, EOFError) as error:
                console.warn(f"{path}: cannot be read ({error}): making it again")
        with console.share(title or key) as watch:
            made = make(watch)
        with beside(path) as part, part.open("wb") as stream:
            np.save(stream, made, allow_pickle=False)
        return np.load(path, mmap_mode="c")
