"""The page on scaling shows what runs: two clones are the two machines, and all servers stand on the loopback."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest

from models.trials import WORKER, finished
from pipelines.home import REPOSITORY
from pipelines.storage import open_storage
from tests.clusters import Node, free_port, postgresql, wait_for
from tests.search_kills import assert_shown, assert_whole
from tests.test_docs import BLOCK, assert_runs, check_out

PAGE = REPOSITORY / "docs" / "scaling.md"
LINE = re.compile(r"^(.+?) +# on (the first|the second|both)$")
MACHINES = {"the first": [0], "the second": [1], "both": [0, 1]}
STARTED = {"ray start": "Ray runtime started", "dask scheduler": "Scheduler at", "dask worker": "Registered to"}


def commands() -> list[tuple[str, list[int]]]:
    """The page's lines, and the machines that they are for."""
    found = [block for language, block in BLOCK.findall(PAGE.read_text()) if language == "sh"]
    lines = [LINE.match(line) for block in found for line in block.splitlines()]
    assert None not in lines
    return [(line[1], MACHINES[line[2]]) for line in lines if line is not None]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.ray
@pytest.mark.dask
def test_the_commands_for_several_machines_run(tmp_path, python):
    pytest.importorskip("ray")
    pytest.importorskip("distributed")
    with postgresql() as server, ExitStack() as stack:
        ports = {"6379": str(free_port()), "8786": str(free_port())}
        clones = [check_out(tmp_path / name, python) for name in ("one", "two")]
        trials = []
        for number, (line, machines) in enumerate(commands()):
            command = line.replace("postgresql://podium:secret@192.168.1.10/podium", server.url)
            for told, free in ports.items():
                command = command.replace(told, free)
            command = command.replace("192.168.1.10", "127.0.0.1")
            trials += [int(each) for each in re.findall(r"TRIALS=(\d+)", command)]
            daemon = next((words for words in STARTED if words in command), None)
            for machine in machines:
                if daemon is None:
                    assert_runs(["bash", "-c", command], clones[machine])
                    continue
                log = tmp_path / f"{number}-{machine}.log"
                if daemon == "ray start":
                    short = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
                    command += f" --block --node-ip-address=127.0.0.1 --temp-dir={short} --disable-usage-stats"
                node = Node(["bash", "-c", command], clones[machine], log)
                stack.callback(node.kill)
                wait_for(lambda log=log, daemon=daemon: STARTED[daemon] in log.read_text())
        assert trials == sorted(trials)
        opened = open_storage(server.url, Path())
        (summary,) = optuna.get_all_study_summaries(opened)
        study = optuna.load_study(study_name=summary.study_name, storage=opened)
        assert_whole(study, trials[-1])
        assert len({trial.user_attrs[WORKER] for trial in finished(study)}) >= 5
        opened.engine.dispose()
        assert_shown(clones[0], "titanic-twin", trials[-1])
