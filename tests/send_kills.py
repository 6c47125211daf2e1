"""Kills `send` at random moments, again and again, while submissions wait in the outbox.

`python -m tests.send_kills <home> <kills> <seed> <run>` prints the files that it has queued, one a line. Kaggle's place
takes tests/kaggle_server.py; whoever starts this counts there what arrived. All attempts are forks of one process, so
that they begin with all imports done, and the kills fall into what sending itself does.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import time
from pathlib import Path

from pipelines import delivery
from pipelines.__main__ import cli
from pipelines.home import REPOSITORY, Home
from submissions import drafts
from submissions.outbox import Entry, Outbox
from tests.zygote import libraries

NAME = "titanic"


def queued(home: Home, number: int, run: str) -> Entry:
    """Puts one more submission into the outbox."""
    content = (home.submissions / NAME / drafts.LATEST).read_bytes() + f"{number},0\n".encode()
    file = home.submissions / NAME / f"{number}.csv"
    file.write_bytes(content)
    entry = Entry(competition=NAME, file=file.name, sha256=drafts.sha256(content), run=run, message=f"no {number}")
    return Outbox(home.outbox).put(entry)


def attempt(home: Home, seconds: float | None) -> bool:
    """Sends what waits, and is killed after a while; whether it ended well before."""
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os._exit(cli(["send", "--yes", "--home", str(home.root)]))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    home, kills, run = Home(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[4]
    generator = random.Random(int(sys.argv[3]))
    for name in (*libraries(REPOSITORY), "kaggle"):
        importlib.import_module(name)
    delivery.FIRST_LOOK, delivery.LONGEST_LOOK, delivery.LOST = 0.01, 0.02, 0.1
    files = [queued(home, 0, run).file]
    done = 0
    started = time.perf_counter()
    assert attempt(home, None), "the first one, which nobody killed, failed"
    whole = time.perf_counter() - started
    while done < kills:
        if not any(each.waits for each in Outbox(home.outbox).read()):
            files.append(queued(home, len(files), run).file)
        done += not attempt(home, generator.uniform(0.2 * whole, 1.2 * whole))
    assert attempt(home, None), "the last one, which nobody killed, failed"
    print("\n".join(files))


if __name__ == "__main__":
    main()
