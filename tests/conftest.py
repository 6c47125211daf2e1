"""What several test files need: homes of their own, the real archives, a small competition."""

from __future__ import annotations

import faulthandler
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines import console, stages
from pipelines.__main__ import cli
from pipelines.competition import find, names
from pipelines.database import DATABASE
from pipelines.home import Home
from pipelines.job import Job
from pipelines.server import ADDRESS
from pipelines.tracking import Tracker
from tests.short import is_long
from tests.toy import TOY, Toy

LEAVING = 120  # seconds after the summary within which the process ends
ARCHIVES = Path(os.environ.get("KAGGLE_ARCHIVES", "/nowhere"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """A thread of a library that does not end may not keep what the tests have found: where it stands is told."""
    yield  # the temporary folders are removed and the summary is printed first, however long that takes

    def leave() -> None:
        faulthandler.dump_traceback(2)
        os._exit(int(session.exitstatus))

    guard = threading.Timer(LEAVING, leave)
    guard.daemon = True
    guard.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at all that the others have left comes last."""
    items.sort(key=lambda item: "test_secrets" in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _named_nowhere(tmp_path_factory):
    """Tests, and what many of them share, say themselves where raw files come from, where runs go, and who they are."""
    with pytest.MonkeyPatch.context() as patch:
        mine = [name for name in os.environ if name.startswith("KAGGLE_")]  # archives, and an account
        for name in (*mine, "PODIUM_HOME", ADDRESS):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser()))
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _twins_of_all():
    """Rows that a package has would be taken before a twin is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        for name in names():
            labelled = find(name).labelled
            if labelled is not None and labelled.package:
                patch.setitem(vars(find(name)), "labelled", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _short():
    """Defaults that would learn for minutes learn for seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in names():
            model, candidate = find(name).candidate(None)
            if is_long(name, model):
                config = replace(candidate.config, members=1, refit=1, epochs=2)
                patch.setitem(find(name).candidates, model, replace(candidate, config=config))
        yield


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """A worker's command sets both for good, as its process ends with it."""
    torch.set_num_threads(1)
    monkeypatch.setattr(console.STDERR, "quiet", False)


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
def run(home, capsys):
    """Runs a command in the test's home; gives the exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli([*arguments, "--home", str(home.root)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def _trained_homes(tmp_path_factory) -> dict[str, Path]:
    return {}


@pytest.fixture
def trained_home(_trained_homes, tmp_path_factory, migrated, tmp_path) -> Callable[[str], Home]:
    """Of a competition's name, a home with a finished run of its default on the twin; trained once, then copied."""

    def home_of(name: str) -> Home:
        if name not in _trained_homes:
            home = Home(tmp_path_factory.mktemp(name))
            home.mlruns.mkdir(parents=True)
            shutil.copy(migrated, home.mlruns / DATABASE)
            stages.train(Job(name=name, home=home))
            _trained_homes[name] = home.root
        return Home(shutil.copytree(_trained_homes[name], tmp_path / "trained"))

    return home_of


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
