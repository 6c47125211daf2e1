"""The tests, lane by lane: `python -m tests.lanes fast|slow [ARGUMENTS OF PYTEST]`.

`fast` is what protects a change. `slow` is the rest: long trainings, series of kills, clusters, servers, the browser,
and the documents as written. Each runs on as many processes as there are cores, and then what looks at all that the
others have left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.zygote import PYTHON, zygote

PARALLEL = ("-n", str(os.cpu_count()), "--no-loadscope-reorder")
LANES = {
    "fast": ((*PARALLEL, "-m", "not slow and not alone"), ("-m", "not slow and alone")),
    "slow": ((*PARALLEL, "-m", "slow and not alone"), ("-m", "slow and alone")),
}
LEFT_BY_OTHERS = "PODIUM_TESTS"  # names the folder that holds what all parts of a lane have written
NOTHING_CHOSEN = 5  # pytest's exit code where the arguments choose no test of a part


def run(lane: str, arguments: list[str]) -> int:
    """Runs the parts of a lane; the first exit code that is not 0."""
    codes = []
    with tempfile.TemporaryDirectory(prefix="podium-tests-", ignore_cleanup_errors=True) as folder, zygote() as python:
        environment = {**os.environ, LEFT_BY_OTHERS: folder, PYTHON: str(python), "OMP_NUM_THREADS": "1"}
        for number, chosen in enumerate(LANES[lane]):
            command = [sys.executable, "-m", "pytest", *chosen, f"--basetemp={Path(folder) / str(number)}", *arguments]
            codes.append(_ended(subprocess.Popen(command, env=environment)))
            if codes[-1] not in (0, NOTHING_CHOSEN):
                return codes[-1]
    return 0 if 0 in codes else NOTHING_CHOSEN


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a part, which a Ctrl-C has reached, too, and which then ends what it has started."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in LANES:
        raise SystemExit(f"say which lane: python -m tests.lanes {'|'.join(LANES)}")
    try:
        raise SystemExit(run(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
