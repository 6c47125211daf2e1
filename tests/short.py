"""Short trainings on few rows of the twins, which are killed.

`python -m tests.short COMPETITION HOME` sends itself SIGKILL once it has kept some states. The caller then goes on
where it was, with the same short settings.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data import synthetic
from models.keeping import State
from pipelines import checkpoints, stages
from pipelines.checkpoints import Checkpoint
from pipelines.competition import find
from pipelines.home import Home
from pipelines.job import Job

ROWS, CELLS = 600, 200_000  # of a twin
EPOCHS = 4
KEPT = 2  # states, before the kill


def is_long(name: str, model: str) -> bool:
    """Whether a candidate is one that learns for minutes, for whoever has the time."""
    competition = find(name)
    return model in competition.full and model not in competition.blend


def shorten(patch: pytest.MonkeyPatch, name: str) -> None:
    """Few rows, few epochs, and a state kept after each."""
    competition = find(name)
    model, candidate = competition.candidate(None)
    config = replace(candidate.config, epochs=EPOCHS, patience=EPOCHS, members=1, refit=1)
    patch.setitem(vars(competition), "labelled", None)
    patch.setitem(competition.candidates, model, replace(candidate, config=config, space={}))
    patch.setattr(synthetic, "MOST_ROWS", ROWS)
    patch.setattr(synthetic, "MOST_CELLS", CELLS)
    patch.setattr(checkpoints, "FIRST", -1.0)
    patch.setattr(checkpoints, "LONGEST", -1.0)


def killed(name: str, home: Path) -> None:
    """Trains until it has kept some states, and kills its own process."""
    states = 0
    save = Checkpoint.save

    def kept(self: Checkpoint, state: Callable[[], State]) -> None:
        nonlocal states
        save(self, state)
        states += 1
        if states == KEPT:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, name)
        patch.setattr(Checkpoint, "save", kept)
        stages.train(Job(name=name, home=Home(home)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    killed(sys.argv[1], Path(sys.argv[2]))
