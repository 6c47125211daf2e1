"""Mutants: breaks one promise of the product after another in a copy of it, and tells whether a test notices.

`python -m tests.mutants [NAME...]` tries those of `tests/mutations.py` whose promise or file holds one of the names, by
default all. A line tells of each which test has caught it, or that it SURVIVED. It exits with 1 where one survives, or
where the table does not fit the code any more. Every process is forked from one that has imported the libraries.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.mutations import MUTATIONS, Mutation

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "features", "models", "pipelines", "submissions", "tests")
OPTIONS = (
    *("-x", "-q", "-o", "addopts=", "-p", "no:randomly", "-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of plugins that were imported before the fork
)
LIMIT = 300  # seconds after which a test that hangs has noticed the mutation
CRASH = 70  # the exit code of a process whose tests could not begin
WHOLE = 1800  # seconds that all tests together may take
TAIL = 30  # lines of a baseline that fails


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of some tests."""

    code: int  # pytest's exit code, or the negated signal that ended it
    failed: str  # the first test that failed; "" where none did
    passed: int
    seconds: float

    @property
    def word(self) -> str:
        """What it says of a mutation."""
        if self.code == 0:
            return "SURVIVED" if self.passed else "skipped"
        return "caught" if self.failed or self.code == -signal.SIGALRM else "ERROR"

    @property
    def told(self) -> str:
        """By what, in words."""
        if self.code == -signal.SIGALRM:
            return f"by no end within {self.seconds:.0f} s"
        if self.code == 0:
            return "by no test" if self.passed else "its tests are not run here"
        return self.failed or f"the tests ended with {self.code}"


class Watcher:
    """A plugin of pytest that notes which test fails first, and how many pass."""

    def __init__(self) -> None:
        self.failed, self.passed = "", 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a test."""
        self.passed += report.when == "call" and report.passed
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes a file that cannot be imported."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


class Copy:
    """A copy of the files that git tracks, as they are, in which one set of tests runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.root, self.temporary, self.output = folder / "copy", folder / "temporary", folder / "output.txt"
        self.result = folder / "result.json"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (REPOSITORY / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, self.root / name)
        by_hash = py_compile.PycInvalidationMode.CHECKED_HASH  # a mutation may have the size and second of what it was
        compileall.compile_dir(self.root, quiet=2, invalidation_mode=by_hash)

    def start(self, nodes: Sequence[str], limit: int = LIMIT) -> int:
        """Begins to run tests in a process of their own; its id."""
        self.result.unlink(missing_ok=True)
        if child := os.fork():
            return child
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            signal.alarm(limit)
            self._become()
            watcher = Watcher()
            code = int(pytest.main([*OPTIONS, f"--basetemp={self.temporary}", *nodes], plugins=[watcher]))
            self.result.write_text(json.dumps([watcher.failed, watcher.passed]))
        except BaseException:  # noqa: BLE001  # whatever it is, this process ends here
            traceback.print_exc()
            code = CRASH
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _become(self) -> None:
        """Makes this process one that knows the copy alone."""
        told = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(told, 1)
        os.dup2(told, 2)
        os.chdir(self.root)
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.path[:] = [str(self.root), *(each for each in sys.path if each not in ("", str(REPOSITORY)))]
        for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
            del sys.modules[name]

    def outcome(self, status: int, seconds: float) -> Outcome:
        """What a process that has ended found."""
        failed, passed = json.loads(self.result.read_text()) if self.result.is_file() else ("", 0)
        return Outcome(code=os.waitstatus_to_exitcode(status), failed=failed, passed=passed, seconds=seconds)

    def run(self, nodes: Sequence[str]) -> Outcome:
        """Runs many tests to their end."""
        started, child = time.monotonic(), self.start(nodes, WHOLE)
        return self.outcome(_ended(child), time.monotonic() - started)


def _ended(child: int) -> int:
    """The status of a process that has ended; what it has started and left ends, too."""
    try:
        return os.waitpid(child, 0)[1]
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)


def nodes_of(mutation: Mutation) -> list[str]:
    """Where the tests of a mutation stand by now: a name of a function is looked for in all files of tests."""
    found = []
    for test in mutation.tests:
        if test.endswith(".py"):
            found += [f"tests/{test}"] * (REPOSITORY / "tests" / test).is_file()
        else:
            name = test.partition("[")[0]
            found += [f"tests/{file}::{test}" for file, names in _functions().items() if name in names]
    return found


@cache
def _functions() -> dict[str, set[str]]:
    """The tests of every file."""
    files = sorted((REPOSITORY / "tests").glob("test_*.py"))
    return {path.name: set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)) for path in files}


def fault_of(mutation: Mutation) -> str | None:
    """Why a line of the table does not fit the code any more; None where it does."""
    path = REPOSITORY / mutation.file
    source = path.read_text() if path.is_file() else ""
    if (times := source.count(mutation.old)) != 1:
        return f"{mutation.file} holds {mutation.old!r} {times} times"
    try:
        compile(source.replace(mutation.old, mutation.new), mutation.file, "exec")
    except SyntaxError as error:
        return f"{mutation.new!r} makes no Python of {mutation.file} ({error.msg})"
    missing = [test for test in mutation.tests if not nodes_of(mutation._replace(tests=(test,)))]
    return f"there is no {' and no '.join(missing)}" if missing else None


def tried(mutations: Sequence[Mutation], copies: Sequence[Copy]) -> Iterator[tuple[Mutation, Outcome]]:
    """Each mutation with what its tests found, in the order in which they end."""
    waiting, free = list(mutations), list(copies)
    running: dict[int, tuple[Mutation, Copy, str, float]] = {}
    try:
        while waiting or running:
            while waiting and free:
                mutation, copy = waiting.pop(0), free.pop()
                path = copy.root / mutation.file
                source = path.read_text()
                path.write_text(source.replace(mutation.old, mutation.new))
                running[copy.start(nodes_of(mutation))] = mutation, copy, source, time.monotonic()
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid  # type: ignore[union-attr]
            mutation, copy, source, started = running[child]
            outcome = copy.outcome(_ended(child), time.monotonic() - started)
            del running[child]
            (copy.root / mutation.file).write_text(source)
            free.append(copy)
            yield mutation, outcome
    finally:
        for child in running:
            os.killpg(child, signal.SIGKILL)


def main() -> int:
    """Runs the program; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of promises or files; by default all")
    parser.add_argument("--jobs", type=int, default=1, help="copies that are tried at once")
    parser.add_argument("--list", action="store_true", help="list them, and where they do not fit the code")
    asked = parser.parse_args()
    names = [name.lower() for name in asked.names]
    chosen = [each for each in MUTATIONS if not names or any(n in f"{each.promise} {each.file}".lower() for n in names)]
    faults = {each: fault for each in chosen if (fault := fault_of(each)) is not None}
    for each, fault in faults.items():
        print(f"ERROR     {each.promise}: {fault}")
    sound = [each for each in chosen if each not in faults]
    if asked.list:
        for each in sound:
            print(f"{each.promise}: {each.file}: {', '.join(nodes_of(each))}")
        return bool(faults)
    return _try_all(sound, asked.jobs, len(faults)) if sound else 1


def _try_all(mutations: Sequence[Mutation], jobs: int, faults: int) -> int:
    import tests.conftest  # noqa: F401  # and with it the libraries, once for all processes

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the copies are removed
    with tempfile.TemporaryDirectory(prefix="podium-mutants-") as folder:
        copies = [Copy(Path(folder) / str(number)) for number in range(max(1, min(jobs, len(mutations))))]
        nodes = sorted({node for each in mutations for node in nodes_of(each)})
        baseline = copies[0].run(nodes)
        if baseline.code:
            print(*copies[0].output.read_text().splitlines()[-TAIL:], sep="\n")
            print(f"ERROR     without any mutation: {baseline.failed or baseline.told}")
            return 1
        print(f"green     {baseline.seconds:5.1f} s  {baseline.passed} tests without any mutation", flush=True)
        words = ["ERROR"] * faults
        for number, (mutation, outcome) in enumerate(tried(mutations, copies), 1):
            words.append(outcome.word)
            place = f"{number}/{len(mutations)}"
            print(
                f"{outcome.word:<9} {outcome.seconds:5.1f} s  {place:>5}  {mutation.promise}: {outcome.told}",
                flush=True,
            )
    counted = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    print(f"{len(words)} mutations: {counted}")
    return int("SURVIVED" in words or "ERROR" in words)


if __name__ == "__main__":
    sys.exit(main())
