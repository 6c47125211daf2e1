"""Workers: processes that run trials, on this machine or on a cluster's nodes, joblib being the one door to all.

What joblib hands out is not the work but the care for one worker: a process of its own, started anew where it is
killed. So a worker that dies takes no other with it, and the code is the same wherever it runs.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.errors import UnavailableError, UsageError

REPOSITORY = Path(__file__).resolve().parents[1]  # of the machine where this runs
BACKENDS = ("ray", "dask")
LIVES = 20  # times in a row that a worker may die young: a trial that kills it does so some times
YOUNG = 20.0  # seconds
CONNECT = 5  # seconds until a scheduler that does not answer counts as away


@dataclass(frozen=True, kw_only=True)
class Crew:
    """How many workers, and where."""

    workers: int = 1
    backend: str | None = None  # None: this machine
    address: str | None = None  # of the cluster

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"WORKERS takes 1 or more, but got {self.workers}")
        if self.backend is not None and self.backend not in BACKENDS:
            raise UsageError(f"BACKEND takes {', '.join(BACKENDS)}, but got {self.backend!r}")
        if self.address is not None and self.backend is None:
            raise UsageError(f"ADDRESS={self.address} needs BACKEND={' or '.join(BACKENDS)}")
        if self.backend == "dask" and not self.address:
            raise UsageError("BACKEND=dask needs ADDRESS=tcp://host:8786, that of its scheduler")

    @property
    def alone(self) -> bool:
        """Whether the trials run in the command's own process."""
        return self.workers == 1 and self.backend is None


def look_after(number: int, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Keeps one worker running until it ends by itself, and returns its exit code.

    Args:
        number: of the worker, from 1.
        arguments: of `python -m pipelines`.
        environment: what it needs beside that of this process; archives that are named here go before its own.
    """
    archives = {name: os.environ[name] for name in ("KAGGLE_ARCHIVES",) if name in os.environ}
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # more than one a busy core stand in each other's way
    own = {**os.environ, **environment, **archives, **one_thread}
    deaths = 0
    while True:
        started = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "pipelines", *arguments, "--parent", str(os.getpid())],
            cwd=REPOSITORY,
            env=own,
            start_new_session=True,
        ) as worker:
            code = worker.wait()
        if code >= 0:
            return code
        deaths = deaths + 1 if time.monotonic() - started < YOUNG else 1
        if deaths >= LIVES:
            _say(f"worker {number} was killed {deaths} times in a row: given up")
            return code
        _say(f"worker {number} was killed ({_named(-code)}): another takes its place, and runs its trial")


def _named(number: int) -> str:
    """A signal's name; some have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def employ(crew: Crew, arguments: Sequence[str], environment: Mapping[str, str]) -> list[int]:
    """Keeps all workers of a crew running until they end by themselves, and returns their exit codes.

    Raises:
        UnavailableError: the backend is not installed, or the cluster does not answer, or has no room.
    """
    from joblib import Parallel, delayed, parallel_config  # which a command without workers does not need

    with _connected(crew) as (room, lost):
        while True:
            workers = min(crew.workers, room())
            if workers < 1:
                raise UnavailableError(f"BACKEND={crew.backend}: no node has a free core")
            try:
                with parallel_config(backend=crew.backend or "threading", n_jobs=workers):
                    tasks = (delayed(look_after)(number + 1, arguments, environment) for number in range(workers))
                    return list(Parallel()(tasks))
            except lost as error:
                _say(f"a node was lost ({type(error).__name__}): its trial is run again on the others")


@contextmanager
def _connected(crew: Crew) -> Iterator[tuple[Callable[[], int], tuple[type[Exception], ...]]]:
    """A block in which joblib reaches the crew's backend.

    Gives how many workers find room there, asked anew each time, and the errors that say that a node was lost.
    """
    try:
        if crew.backend == "ray":
            with _ray(crew) as found:
                yield found
        elif crew.backend == "dask":
            with _dask(crew) as found:
                yield found
        else:
            yield (lambda: crew.workers), ()
    except ImportError as error:
        raise UnavailableError(f"BACKEND={crew.backend} is not installed: make extras EXTRAS={crew.backend}") from error


@contextmanager
def _ray(crew: Crew) -> Iterator[tuple[Callable[[], int], tuple[type[Exception], ...]]]:
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    try:
        ray.init(address=crew.address or "auto", logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = crew.address or "this machine"
        raise UnavailableError(f"no Ray cluster at {where}: start it with `ray start`") from error
    try:
        yield (lambda: int(ray.cluster_resources().get("CPU", 0))), (ray.exceptions.RayError,)
    finally:
        ray.shutdown()


@contextmanager
def _dask(crew: Crew) -> Iterator[tuple[Callable[[], int], tuple[type[Exception], ...]]]:
    from dask.distributed import Client, KilledWorker

    try:
        client = Client(crew.address, timeout=CONNECT, set_as_default=True)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"no Dask scheduler at {crew.address}: start it with `dask scheduler`") from error
    with client:
        yield (lambda: sum(client.nthreads().values())), (KilledWorker,)


def _say(text: str) -> None:
    """Of a node, where nothing but this file is loaded."""
    print(text, file=sys.stderr, flush=True)
