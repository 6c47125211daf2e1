"""Home: the folders that the stages read and write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
KAGGLE_NOTEBOOK = Path(os.environ.get("PODIUM_KAGGLE", "/kaggle"))  # where Kaggle's own notebooks run
STUDIES = "optuna.db"  # the searches' own database, in mlruns/
MODEL = "model"  # MLflow's own folder of a model, among a run's artifacts


@dataclass(frozen=True)
class Home:
    """The repository's root, or any other folder that holds data/, submissions/ and mlruns/."""

    root: Path = REPOSITORY

    @property
    def raw(self) -> Path:
        """The user's own files, a folder a competition."""
        return self.root / "data" / "raw"

    @property
    def cache(self) -> Path:
        """Checked and folded tables, a folder an ingest."""
        return self.root / "data" / "cache"

    @property
    def synthetic(self) -> Path:
        """The twins' files, a folder a competition."""
        return self.root / "data" / "synthetic"

    @property
    def submissions(self) -> Path:
        """Submission files, a folder a competition."""
        return self.root / "submissions" / "files"

    @property
    def notebooks(self) -> Path:
        """Notebooks for Kaggle and what they need, a folder a competition."""
        return self.root / "submissions" / "notebooks"

    @property
    def outbox(self) -> Path:
        """What is to be sent to Kaggle, and what was."""
        return self.root / "submissions" / "outbox.json"

    @property
    def mlruns(self) -> Path:
        """What MLflow remembers."""
        return self.root / "mlruns"

    @property
    def checkpoints(self) -> Path:
        """The states of trainings under way."""
        return self.mlruns / "checkpoints"

    @staticmethod
    def archives() -> list[Path]:
        """The folders that may hold a competition's archive."""
        named = os.environ.get("KAGGLE_ARCHIVES")
        folders = [Path(os.path.expanduser(named))] if named else []  # noqa: PTH111  # Path's fails for an unknown user
        inputs = KAGGLE_NOTEBOOK / "input"
        return [*folders, *(each for each in (inputs, inputs / "competitions") if each.is_dir())]

    @staticmethod
    def notebook_output() -> Path | None:
        """Where a notebook of Kaggle leaves its submission; None: this is none."""
        folder = KAGGLE_NOTEBOOK / "working"
        return folder / "submission.csv" if folder.is_dir() else None


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for artifacts on their way to a run."""
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:
        yield Path(folder)
