"""Checkpoints: the state of a training under way, as a file that lies until the run has finished."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from data.files import beside
from models.keeping import State
from pipelines import console, tensors

LONGEST = 60.0  # seconds between two checkpoints, and until a step has ended
SHARE = 0.05  # of the time that storing may take
FIRST = 10.0  # seconds until the first one, which tells how long storing takes
SECONDS = "seconds"  # of training that a state took
DIGEST = "sha256"  # of all tensors


class Checkpoint:
    """Keeps the state of one training; see `models.keeping.Keep`.

    Args:
        path: of the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = 0.0  # seconds that a training before this one took
        self._started = self._stored = time.monotonic()
        self._wait = FIRST

    def load(self) -> State | None:
        """The state that a killed training left; None when there is none, or none that can be read."""
        try:
            state: State = load_file(self.path)
            with safe_open(self.path, "pt") as file:
                told = (file.metadata() or {}).get(DIGEST)
            if told != _digest(state):
                raise SafetensorError("it was changed since")
            self.before = float(state.pop(SECONDS))
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            console.warn(f"{self.path}: no whole checkpoint ({error}): training from the start")
            return None
        console.tell(f"going on after {self.before:.0f} s of a training that was cut off ({self.path.name})")
        return state

    def save(self, state: Callable[[], State]) -> None:
        """Stores the state when the last one is old enough."""
        now = time.monotonic()
        if now - self._stored < self._wait:
            return
        found = {name: tensor.cpu().contiguous() for name, tensor in state().items()}
        found[SECONDS] = torch.tensor(self.seconds, dtype=torch.float64)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with beside(self.path) as part:
            tensors.write(found, part, {DIGEST: _digest(found)})
        self._stored = time.monotonic()
        self._wait = min(LONGEST, (self._stored - now) / SHARE)

    @property
    def seconds(self) -> float:
        """Of training, those before a kill included."""
        return self.before + time.monotonic() - self._started

    def drop(self) -> None:
        """Removes the file: the run has finished."""
        self.path.unlink(missing_ok=True)


def _digest(state: State) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
