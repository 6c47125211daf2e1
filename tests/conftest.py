"""What several test files need: homes of their own, the real archives, a small competition."""

from __future__ import annotations

import faulthandler
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.engine import Engine

from data import synthetic
from pipelines import console, stages
from pipelines.__main__ import cli
from pipelines.competition import find, names
from pipelines.environment import ALLOWED
from pipelines.home import STUDIES, Home
from pipelines.job import Job
from pipelines.runs import ADDRESS, DATABASE
from pipelines.storage import open_storage
from pipelines.tracking import Tracker
from tests.toy import TOY, Toy, write_zip
from tests.twins import twin_files
from tests.zygote import zygote

ROWS = 900  # of a twin: as many as Titanic has
CELLS = 200_000  # of a twin: images have fewer rows
SHORT = {"members": 2, "refit": 1, "epochs": 4}  # of a config, at most
DECLARED = {name: dict(find(name).candidates) for name in names()}  # as they are without these tests
LONGEST = (  # files of tests, the slowest first
    *("competitions", "sending", "scaling", "week", "kills", "server", "docs", "tutorial", "workers"),
    *("rotten_tomatoes", "tabular", "pipeline", "new", "targets", "tuning", "search", "compare", "serving"),
    *("up_to_date", "commands", "card", "stages", "lazy"),
)
KAGGLE = ("tests/test_kaggle.py", "tests/test_sending.py")
WHOLE = {name: getattr(synthetic, name) for name in ("MOST_ROWS", "MOST_CELLS")}
settings.register_profile("tests", deadline=None)  # of a machine that is busy
settings.load_profile("tests")
LEAVING = 120  # seconds after the summary within which the process ends
ARCHIVES = Path(os.environ.get("KAGGLE_ARCHIVES", "/nowhere"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """A thread of a library that does not end may not keep what the tests have found: where it stands is told."""
    yield  # the temporary folders are removed and the summary is printed first, however long that takes
    if hasattr(session.config, "workerinput"):
        return  # a process of several waits for the others

    def leave() -> None:
        faulthandler.dump_traceback(2)
        os._exit(int(session.exitstatus))

    guard = threading.Timer(LEAVING, leave)
    guard.daemon = True
    guard.start()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of a file share a process and what they have made, as do all that wait for Kaggle's port.

    Those of every competition go by competition; the long trainings are one process's, as two at once on the halves of
    one core take longer than one after another.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if "test_the_twin_is_learned" in nodeid:
                return "trainings"
            competition = re.match(r"tests/test_competitions\.py::\w+\[([a-z_]+)", nodeid)
            file = nodeid.partition("::")[0]
            return competition[1] if competition else "kaggle" if file in KAGGLE else file

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no process waits for the last; what looks at all that was left, last."""

    def turn(item: pytest.Item) -> int:
        name = item.path.stem.removeprefix("test_")
        return LONGEST.index(name) if name in LONGEST else len(LONGEST) + (name == "secrets")

    items.sort(key=turn)


@event.listens_for(Engine, "connect")
def _forgets_in_a_power_cut(connection: object, _: object) -> None:
    """A test's database needs to survive a killed process, and no power cut."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def _named_nowhere(tmp_path_factory):
    """Tests, and what many of them share, say themselves where raw files come from, where runs go, and who they are."""
    with pytest.MonkeyPatch.context() as patch:
        mine = [name for name in os.environ if name.startswith("KAGGLE_")]  # archives, and an account
        for name in (*mine, "PODIUM_HOME", ADDRESS):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser()))
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv(ALLOWED, "no")
        yield


@pytest.fixture(scope="session", autouse=True)
def _twins_of_all():
    """Twins are small, and rows that a package has would be taken before one is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "MOST_ROWS", ROWS)
        patch.setattr(synthetic, "MOST_CELLS", CELLS)
        for name in names():
            labelled = find(name).labelled
            if labelled is not None and labelled.package:
                patch.setitem(vars(find(name)), "labelled", None)
        yield


@pytest.fixture
def as_declared(monkeypatch) -> None:
    """Defaults learn as long as a user's."""
    for name, candidates in DECLARED.items():
        monkeypatch.setitem(vars(find(name)), "candidates", dict(candidates))


@pytest.fixture
def whole_twins(monkeypatch) -> None:
    """Twins are as large as a user's."""
    for name, value in WHOLE.items():
        monkeypatch.setattr(synthetic, name, value)


@pytest.fixture(scope="session", autouse=True)
def _short():
    """Defaults learn for a few seconds; Titanic's does so by itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in {*names()} - {"titanic"}:
            model, candidate = find(name).candidate(None)
            declared = {key: getattr(candidate.config, key) for key in SHORT}
            small = {key: min(most, declared[key]) for key, most in SHORT.items() if declared[key] is not None}
            config = replace(candidate.config, **small)
            patch.setitem(find(name).candidates, model, replace(candidate, config=config))
        yield


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """A worker's command sets both for good, as its process ends with it."""
    torch.set_num_threads(1)
    monkeypatch.setattr(console.STDERR, "quiet", False)


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """The folder of a name, which a function fills: once for all processes that run these tests."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def once(name: str, fill: Callable[[Path], None]) -> Path:
        folder = shared / f"once-{name}"
        with FileLock(shared / f"once-{name}.lock"):
            if not folder.is_dir():
                part = shared / f"once-{name}.part"
                part.mkdir()
                fill(part)
                part.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def migrated(once) -> Path:
    """An empty MLflow database; making one takes seconds, copying it does not."""
    return once("migrated", Tracker) / DATABASE


@pytest.fixture(scope="session")
def no_studies(once) -> Path:
    """An empty database of searches."""
    return once("no_studies", lambda folder: open_storage(None, folder).remove_session()) / STUDIES


@pytest.fixture(scope="session")
def python() -> Iterator[Path]:
    """A program like `sys.executable`, which starts at once."""
    with zygote() as found:
        yield found


@pytest.fixture
def home(tmp_path, migrated) -> Home:
    """An empty home."""
    return empty_home(tmp_path / "home", migrated)


@pytest.fixture
def run(home, capsys):
    """Runs a command in the test's home; gives the exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli([*arguments, "--home", str(home.root)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def empty_home(folder: Path, migrated: Path) -> Home:
    """A home in a folder, with an empty database."""
    home = Home(folder)
    home.mlruns.mkdir(parents=True)
    shutil.copy(migrated, home.mlruns / DATABASE)
    return home


@pytest.fixture(scope="session")
def copy_trained(once, migrated) -> Callable[[str, Path], Home]:
    """Of a competition's name, a home with a finished run of its default on the twin; trained once, then copied."""

    def copied(name: str, to: Path) -> Home:
        trained = once(name, lambda folder: stages.train(Job(name=name, home=empty_home(folder, migrated))))
        return Home(shutil.copytree(trained, to))

    return copied


@pytest.fixture
def trained_home(copy_trained, tmp_path) -> Callable[[str], Home]:
    """`copy_trained` to a folder of the test's own."""
    return lambda name: copy_trained(name, tmp_path / "trained")


@pytest.fixture(scope="session")
def searched_files(once, migrated) -> Path:
    """A home, and beside it a folder of archives, where a search of Titanic and a training have ended well; copy it."""

    def fill(folder: Path) -> None:
        write_zip(folder / "archives" / "titanic.zip", dict(twin_files("titanic")))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KAGGLE_ARCHIVES", str(folder / "archives"))
            home = empty_home(folder / "home", migrated)
            assert cli(["run", "titanic", "--trials", "2", "--home", str(home.root)]) == 0

    return once("searched_files", fill)


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
