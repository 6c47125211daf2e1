"""The database of the searches: made whole, opened again, and told in one line where it cannot be."""

from __future__ import annotations

import inspect
import re
import sqlite3
import time
from contextlib import closing

import optuna
import pytest
from optuna.storages import _CachedStorage

from data.errors import StorageError, UnavailableError, UsageError
from pipelines import storage
from pipelines.home import STUDIES
from pipelines.storage import PatientStorage, located, open_storage
from pipelines.tracking import Tracker
from tests.clusters import free_port, postgresql


def test_a_database_is_made_once_and_found_again(tmp_path):
    optuna.create_study(storage=open_storage(None, tmp_path), study_name="a")
    again = open_storage(None, tmp_path)
    assert [study.study_name for study in optuna.get_all_study_summaries(again)] == ["a"]
    assert again.name == f"sqlite:///{tmp_path / STUDIES}"
    assert not list(tmp_path.glob(".*"))
    other = open_storage(f"sqlite:///{tmp_path / 'other.db'}", tmp_path)
    assert optuna.get_all_study_summaries(other) == []


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/db", "secret", "redis://me:secret@host", "postgresql://h:secret"]
)
def test_an_address_that_is_none_is_refused_without_its_password(tmp_path, url):
    with pytest.raises(UsageError, match=r"STORAGE takes postgresql://") as raised:
        open_storage(url, tmp_path)
    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_told_at_once(tmp_path):
    pytest.importorskip("psycopg")
    started = time.monotonic()
    port = free_port()
    for url in (f"me:secret@127.0.0.1:{port}/db", f"/db?host=127.0.0.1&port={port}&user=me&password=secret"):
        with pytest.raises(UnavailableError, match="refused") as raised:
            open_storage(f"postgresql://{url}", tmp_path)
        assert "secret" not in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
    assert time.monotonic() - started < 5


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        open_storage(f"sqlite:///{tmp_path}/nowhere/x.db", tmp_path)


def test_a_damaged_database_is_told_in_one_line(tmp_path):
    (tmp_path / STUDIES).write_bytes(b"no database at all, but long enough to be taken for one" * 99)
    with pytest.raises(StorageError, match=r"optuna\.db: file is not a database"):
        open_storage(None, tmp_path)


def test_a_database_of_something_else_is_refused(home):
    Tracker(home.mlruns)
    with pytest.raises(StorageError, match="belongs to something else"):
        open_storage(f"sqlite:///{home.mlruns / 'mlflow.db'}", home.mlruns)


def test_a_database_that_is_locked_where_it_is_opened_is_not_called_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "LOCKED", 0.1)
    url = f"sqlite:///{tmp_path / 'x.db'}"
    open_storage(url, tmp_path).engine.dispose()
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode=DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="database is locked: another process holds it"):
            open_storage(url, tmp_path)


def test_a_file_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located("sqlite:///mine.db") == f"sqlite:///{tmp_path}/mine.db"
    assert located(f"sqlite:///{tmp_path}/mine.db") == f"sqlite:///{tmp_path}/mine.db"
    for url in ("postgresql://me:secret@host/db", "sqlite://", "nonsense"):
        assert located(url) == url


def test_all_that_optunas_cache_asks_of_a_database_is_asked_with_patience():
    asked = set(re.findall(r"self\._backend\.(\w+)\(", inspect.getsource(_CachedStorage)))
    asked -= {"get_heartbeat_interval", "get_heartbeat_stale_trial_callback"}  # which ask nothing of it
    assert {"_set_trial_param", "set_trial_state_values"} <= asked
    assert [name for name in sorted(asked) if not hasattr(getattr(PatientStorage, name), "__wrapped__")] == []


def test_a_study_that_was_removed_is_told(tmp_path):
    opened = open_storage(None, tmp_path)
    study = optuna.create_study(storage=opened, study_name="a")
    optuna.delete_study(study_name="a", storage=opened)
    with pytest.raises(StorageError, match="the study was removed"):
        study.set_user_attr("b", 1)
    (tmp_path / STUDIES).unlink()
    with pytest.raises(StorageError, match="was removed while it was in use"):
        opened.require()


def test_a_locked_database_is_waited_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(storage, "LOCKED", 0.1)
    monkeypatch.setattr(storage, "PAUSE", 0.1)
    opened = open_storage(None, tmp_path)
    study = optuna.create_study(storage=opened, study_name="a")
    holder = sqlite3.connect(tmp_path / STUDIES, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    waited = []

    def let_go(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            holder.rollback()

    monkeypatch.setattr(storage.time, "sleep", let_go)
    study.set_user_attr("b", 1)
    holder.close()
    assert len(waited) == 3
    assert study.user_attrs == {"b": 1}
    told = capsys.readouterr().err
    assert "is away (database is locked): waiting for it" in told
    assert "going on" in told


def test_patience_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "LOCKED", 0.01)
    monkeypatch.setattr(storage, "PATIENCE", 0.2)
    monkeypatch.setattr(storage, "PAUSE", 0.1)
    opened = open_storage(None, tmp_path)
    study = optuna.create_study(storage=opened, study_name="a")
    with sqlite3.connect(tmp_path / STUDIES, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match="goes on later"):
            study.set_user_attr("b", 1)


@pytest.mark.postgres
def test_a_server_that_restarts_is_waited_for(tmp_path, capsys, monkeypatch):
    with postgresql() as server:
        opened = open_storage(server.url, tmp_path)
        study = optuna.create_study(storage=opened, study_name="a")
        server.stop()
        tries = []

        def start(seconds):
            tries.append(seconds)
            if len(tries) == 2:
                server.start()

        monkeypatch.setattr(storage.time, "sleep", start)
        study.set_user_attr("b", 1)
        assert study.user_attrs == {"b": 1}
        opened.engine.dispose()
    told = capsys.readouterr().err
    assert "waiting for it" in told
    assert "is back" in told
    assert "secret" not in told
