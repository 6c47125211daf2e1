"""Storage: the database of the searches, which may go away for a while."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)

from data.errors import StorageError, UnavailableError, UsageError
from data.files import beside
from models.pulse import GRACE, TICK
from pipelines import console
from pipelines.home import STUDIES

FORMS = "postgresql://user:password@host/database or sqlite:///file"
LOCKED = 60.0  # seconds that SQLite waits for another process
PATIENCE = 600.0  # seconds that a database may be away
PAUSE = 1.0  # seconds between two tries
TOLD = 15.0  # seconds between two lines about it
CONNECT = 5  # seconds until a server that does not answer counts as away
KEEP_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}  # seconds, seconds, times

LOOKS = {"create_new_study", "get_study_id_from_name", "get_trial_id_from_study_id_trial_number"}  # may find nothing
CACHES = {  # what Optuna's cache asks of a database beside the storage's own methods
    "record_heartbeat", "_create_new_trial", "_get_trials", "_set_trial_param", "_get_best_trial_id",
    "get_trial_id_from_study_id_trial_number",
}  # fmt: skip

optuna.logging.set_verbosity(optuna.logging.ERROR)


class PatientStorage(RDBStorage):
    """Optuna's database storage, that waits where the database is away, says so, and goes on.

    Args:
        url: SQLAlchemy's.
        arguments: of a connection.
    """

    def __init__(self, url: str, arguments: dict[str, Any]) -> None:
        self.name = _shown(make_url(url))
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._told = 0.0
        self.back_at = -GRACE  # on the clock of `time.monotonic`
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):  # of heartbeats
            self._open(url, arguments)

    def _open(self, url: str, arguments: dict[str, Any]) -> None:
        super().__init__(
            url,
            engine_kwargs={"connect_args": arguments, "pool_pre_ping": not url.startswith("sqlite")},
            heartbeat_interval=round(TICK),
            grace_period=round(GRACE),
        )
        if url.startswith("sqlite"):
            event.listen(self.engine, "connect", _write_ahead)
            self.engine.dispose()  # connections made before

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        """None for a while after the database was away: nobody could give a sign of life."""
        if time.monotonic() - self.back_at < GRACE:
            return []
        return super()._get_stale_trial_ids(study_id)

    def require(self) -> None:
        """Raises StorageError where a database of a file was removed: what is written from then on is lost."""
        database = self.engine.url.database
        if self.engine.url.get_backend_name() == "sqlite" and database and not Path(database).is_file():
            raise StorageError(f"{self.name} was removed while it was in use: its trials are lost")

    def miss(self, error: BaseException) -> None:
        """Notes that the database is away, and lets a moment pass.

        Raises:
            UnavailableError: it has been away for too long.
        """
        with self._lock:
            now = time.monotonic()
            self._away_since = self._away_since or now
            away = now - self._away_since
            if now - self._told > TOLD:
                console.warn(f"{self.name} is away ({_line(error)}): waiting for it")
                self._told = now
        if away > PATIENCE:
            raise UnavailableError(f"{self.name}: away for {away / 60:.0f} minutes: the same command goes on later")
        time.sleep(PAUSE)

    def find(self) -> None:
        """Notes that the database answers."""
        if self._away_since is None:
            return
        with self._lock:
            since, self._away_since = self._away_since, None
            if since is not None:
                self.back_at, self._told = time.monotonic(), 0.0
                console.tell(f"{self.name} is back after {self.back_at - since:.0f} s: going on")


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        tried = False
        while True:
            try:
                found = method(self, *args, **kwargs)
            except UpdateFinishedTrialError:
                if tried and method.__name__ == "set_trial_state_values":
                    return True  # the first try had got through, but its answer had not
                raise
            except KeyError as error:
                if method.__name__ in LOOKS:
                    raise
                raise StorageError(f"{self.name}: the study was removed while it was in use") from error
            except (StorageInternalError, SQLAlchemyError) as error:
                if not _is_away(error):
                    raise StorageError(f"{self.name}: {_line(error)}") from error
                tried = True
                with suppress(SQLAlchemyError):
                    self.remove_session()  # this thread's, which may hold half a transaction
                self.miss(error)
            else:
                self.find()
                return found

    return call


for _name, _method in list(vars(RDBStorage).items()):
    if _name in optuna.storages.BaseStorage.__abstractmethods__ | CACHES:
        setattr(PatientStorage, _name, _patient(_method))
PatientStorage._get_stale_trial_ids = _patient(PatientStorage._get_stale_trial_ids)  # type: ignore[method-assign]


def _is_away(error: BaseException) -> bool:
    """Whether an error says that the database does not answer, and not that a question made no sense."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, PendingRollbackError):  # what follows from such an error
        return True
    if not isinstance(cause, DBAPIError):
        return False
    if "sqlite" in type(cause.orig).__module__:
        return "locked" in str(cause.orig) or "busy" in str(cause.orig)
    return cause.connection_invalidated or isinstance(cause, OperationalError | InterfaceError)


def _line(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    original = getattr(cause, "orig", None) or cause
    return str(original).strip().splitlines()[0]


def _write_ahead(connection: Any, _: object) -> None:
    """Readers do not wait for writers; a kill of the process loses nothing."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def open_storage(url: str | None, folder: Path) -> PatientStorage:
    """The storage of an address, made where it is not there.

    Args:
        url: `postgresql://...` or `sqlite:///...`; None: `optuna.db` in the folder.
        folder: of the default.

    Raises:
        UsageError: the address is none.
        UnavailableError: it does not answer, or its driver is missing.
        StorageError: it cannot be opened.
    """
    if url is None:
        database = folder / STUDIES
        if not database.is_file():
            for left in ("-wal", "-shm"):  # of one that was removed: SQLite would write it into the new one
                Path(f"{database}{left}").unlink(missing_ok=True)
            with beside(database, overwrite=False) as part:
                _opened(f"sqlite:///{part}").engine.dispose()
        url = f"sqlite:///{database}"
    return _opened(url)


def located(url: str) -> str:
    """An address as workers need it, who may run in another folder: a file's path is absolute."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        return url  # told where it is opened
    if address.get_backend_name() != "sqlite" or not address.database:
        return url
    return address.set(database=str(Path(address.database).absolute())).render_as_string(hide_password=False)


def _shown(address: URL) -> str:
    """An address as it may be shown: passwords may stand in its query, too."""
    return address.set(query={}).render_as_string(hide_password=True)


def _opened(url: str) -> PatientStorage:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "STORAGE takes postgresql://user:password@host/database or sqlite:///file, but got none"
        ) from error
    kind = address.get_backend_name()
    name = _shown(address)
    arguments: dict[str, Any] = {"timeout": LOCKED}
    if kind == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": CONNECT, "client_encoding": "utf8", **KEEP_ALIVE}
    elif kind != "sqlite":
        raise UsageError(f"STORAGE takes {FORMS}, but got {name}")
    elif address.database and not Path(address.database).absolute().parent.is_dir():
        raise UsageError(f"STORAGE={name}: there is no folder {Path(address.database).parent}")
    try:
        return PatientStorage(address.render_as_string(hide_password=False), arguments)
    except ImportError as error:
        raise UnavailableError(f"{name} needs psycopg: make extras EXTRAS=postgres") from error
    except (OperationalError, InterfaceError) as error:
        if kind == "postgresql":
            raise UnavailableError(f"{name}: {_line(error)}") from error
        mend = "another process holds it" if _is_away(error) else "move it away to start a new one"
        raise StorageError(f"{name}: {_line(error)}: {mend}") from error
    except RuntimeError as error:  # the versions in its tables are none that Optuna knows
        raise StorageError(f"{name} belongs to something else, or to another Optuna: name another") from error
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StorageError(f"{name}: {_line(error)}") from error
