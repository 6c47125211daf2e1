"""What several test files need: homes of their own, the real archives, a small competition."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from pipelines.home import Home
from pipelines.tracking import DATABASE, Tracker
from tests.toy import TOY, Toy

ARCHIVES = Path(os.environ.get("KAGGLE_ARCHIVES", "/nowhere"))


@pytest.fixture(autouse=True)
def _one_thread_and_no_archives(monkeypatch):
    """Tests say themselves where raw files come from."""
    torch.set_num_threads(1)
    monkeypatch.delenv("KAGGLE_ARCHIVES", raising=False)
    monkeypatch.delenv("PODIUM_HOME", raising=False)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """An empty MLflow database; making one takes seconds, copying it does not."""
    folder = tmp_path_factory.mktemp("migrated")
    Tracker(folder)
    return folder / DATABASE


@pytest.fixture
def home(tmp_path, migrated) -> Home:
    """An empty home."""
    home = Home(tmp_path / "home")
    home.mlruns.mkdir(parents=True)
    shutil.copy(migrated, home.mlruns / DATABASE)
    return home


@pytest.fixture
def real_archives() -> Path:
    """The folder with the competitions' own archives."""
    if not (ARCHIVES / "titanic.zip").is_file():
        pytest.skip("KAGGLE_ARCHIVES holds no titanic.zip")
    return ARCHIVES.resolve()


@pytest.fixture
def toy() -> Toy:
    """Raw files of a small competition, to be spoilt."""
    return TOY.copy()
