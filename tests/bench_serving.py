"""Bench: how fast a model server answers.

`python -m tests.bench_serving` prints the section of docs/benchmarks.md that `make bench` writes (KAGGLE_ARCHIVES names
the folder of titanic.zip; the twin stands in otherwise).
"""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import stages
from pipelines.home import Home
from pipelines.job import Job
from tests.serving import Server, records, served

WARM, WHOLE, SINGLE, CLIENTS = 5, 20, 1000, 8  # requests, and who asks for single rows


def asked(server: Server, body: str) -> tuple[int, float]:
    """The status, and the seconds that it took."""
    started = time.perf_counter()
    status, _ = server.ask(body)
    return status, time.perf_counter() - started


def body_of(rows: pd.DataFrame) -> str:
    """A request."""
    return json.dumps({"dataframe_records": records(rows)})


def line(what: str, found: list[tuple[int, float]], seconds: float) -> str:
    """A row of the table."""
    p50, p99 = np.percentile([each for _, each in found], [50, 99]) * 1000
    errors = sum(status != 200 for status, _ in found)
    return f"| {what} | {len(found):,} | {errors} | {p50:.0f} | {p99:.0f} | {len(found) / seconds:.0f} |"


def section() -> str:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        job = Job(name="titanic", home=home)
        trained = stages.train(job)
        rows = trained.ingested.tables.test
        with served(home, job.name) as (server, _):
            whole = body_of(rows)
            for _ in range(WARM):
                asked(server, whole)
            started = time.perf_counter()
            together = [asked(server, whole) for _ in range(WHOLE)]
            lines = [line(f"{len(rows)} rows, one client", together, time.perf_counter() - started)]
            bodies = [body_of(rows[at : at + 1]) for at in np.arange(SINGLE) % len(rows)]
            for clients in (1, CLIENTS):
                started = time.perf_counter()
                with ThreadPoolExecutor(clients) as pool:
                    alone = list(pool.map(lambda body: asked(server, body), bodies))
                told = f"a row, {clients} client{'s' * (clients > 1)}"
                lines.append(line(told, alone, time.perf_counter() - started))
    table = "\n".join(lines)
    return f"""## Serving

`make serve C=titanic` ({trained.ingested.tables.source}) on the machine of those who ask: raw rows as JSON, through
the encoders and networks of all folds, {trained.run.params["members"]} networks each. Milliseconds from the request to
the answer, after {WARM} to warm up.

| request | asked | errors | p50, ms | p99, ms | answers a second |
|---|---|---|---|---|---|
{table}"""


if __name__ == "__main__":
    print(section())
