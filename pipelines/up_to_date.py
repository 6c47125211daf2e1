"""Up to date: what a run told is told again at once, as long as nothing has changed of what it depends on.

As make compares times, a run compares a state: the command, the code and the libraries, the raw files, and what the
home keeps of the competition. Nothing heavy is imported for that. Wherever something is odd there is no state, and the
run goes its ordinary way; so it does when any part of the state is another. A state names files by size, times and
inode, and so never fits a home that was copied.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import sqlite3
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data.files import beside
from data.kaggle_client import has_credentials
from pipelines.home import REPOSITORY, STUDIES, Home
from pipelines.place import DEVICES, GPUS
from pipelines.reading import connected, is_known
from pipelines.runs import ADDRESS, DATABASE

ROOMS = ("data", "features", "models", "submissions", "pipelines")
FOLDER = "answers"  # in the cache
VARIABLES = (
    "KAGGLE_ARCHIVES",
    "PODIUM_KAGGLE",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HOME",
    "PODIUM_INSTALL",
)
ELSEWHERE = (ADDRESS, "STORAGE", "WORD_VECTORS")  # variables that name what no state knows
MOST_FILES = 5000  # that a state looks at
ODD = (OSError, sqlite3.Error, ValueError, SyntaxError, LookupError, RecursionError)
SECONDS = re.compile(r"^(  seconds +)[\d.]+( in all)$", re.MULTILINE)
TRAINING = (
    "run.experiment_id IN (SELECT experiment_id FROM experiments WHERE name IN (?, ?)) "
    "AND EXISTS (SELECT 1 FROM tags AS other WHERE other.run_uuid = run.run_uuid AND other.key = 'key')"
)
ABOUT_RUNS = (
    "SELECT * FROM experiments WHERE name IN (?, ?) ORDER BY experiment_id",
    f"SELECT run.* FROM runs AS run WHERE {TRAINING} ORDER BY run_uuid",  # noqa: S608  # ours, as the next two
    f"SELECT tags.* FROM tags JOIN runs AS run USING (run_uuid) WHERE {TRAINING} ORDER BY run_uuid, key",  # noqa: S608
    f"SELECT latest_metrics.* FROM latest_metrics JOIN runs AS run USING (run_uuid) WHERE {TRAINING} "  # noqa: S608
    "ORDER BY run_uuid, key",
)
OF_STUDIES = "JOIN studies USING (study_id) WHERE (study_name LIKE ? OR study_name LIKE ?)"
OF_TRIALS = f"JOIN trials USING (trial_id) {OF_STUDIES}"
ABOUT_STUDIES = (
    "SELECT * FROM studies WHERE study_name LIKE ? OR study_name LIKE ?",
    f"SELECT trial_id, number, state, study_id FROM trials {OF_STUDIES} ORDER BY trial_id",  # noqa: S608
    f"SELECT trial_values.* FROM trial_values {OF_TRIALS} ORDER BY trial_value_id",  # noqa: S608
    f"SELECT trial_params.* FROM trial_params {OF_TRIALS} ORDER BY param_id",  # noqa: S608
    f"SELECT trial_id, value_json FROM trial_user_attributes {OF_TRIALS} AND key = 'error' ORDER BY trial_id",  # noqa: S608
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a run tells that has nothing to do."""

    text: str  # the summary
    path: str  # of the submission
    warning: str  # on stderr, before all else; "" where there is none


@dataclass(frozen=True, kw_only=True)
class Command:
    """A run, by its home, its competition and its other options."""

    name: str
    home: Home
    options: Mapping[str, object]

    @property
    def file(self) -> Path:
        """Where its answer is kept."""
        told = json.dumps([str(self.home.root), dict(self.options)], sort_keys=True)
        return self.home.cache / FOLDER / f"{self.name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"

    def inputs(self) -> str | None:
        """The state of what a run does not change: code, libraries, raw files; None where that cannot be told."""
        try:
            if self.home.notebook_output() is not None or any(os.environ.get(each) for each in ELSEWHERE):
                return None
            slug = _slug(declaration_of(self.name))
            return _digest([_code(), _machine(), _raw(self.home, self.name, slug)])
        except ODD:
            return None

    def kept(self) -> str | None:
        """The state of what the home keeps of the competition; None where that cannot be told."""
        home, labels = self.home, (self.name, f"{self.name}-twin")
        try:
            database, trials = home.mlruns / DATABASE, home.mlruns / STUDIES
            if not is_known(database):
                return None
            runs = _rows(database, ABOUT_RUNS, labels)
            studies = _rows(trials, ABOUT_STUDIES, [f"{label}/%" for label in labels]) if trials.is_file() else []
            folders = [home.submissions / label for label in labels] + [home.synthetic / self.name]
            folders += sorted(home.cache.glob(f"{self.name}-*"))
            artifacts = [home.mlruns / "artifacts" / label for label in labels]
            files = [*_files(folders), *_predictions(artifacts)]
            return _digest([*runs, *studies, *files])
        except ODD:
            return None

    def answer(self, inputs: str | None, kept: str | None) -> Answer | None:
        """What was kept for a state; None where nothing was."""
        if inputs is None or kept is None:
            return None
        try:
            told = json.loads(self.file.read_text(encoding="utf-8"))
            if told.pop("state") != [inputs, kept]:
                return None
            found = Answer(**told)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return found if Path(found.path).is_file() else None

    def keep(self, inputs: str, kept: str, answer: Answer) -> None:
        """Keeps an answer for a state; a home that is read only goes without."""
        try:
            with beside(self.file) as part:
                part.write_text(json.dumps({"state": [inputs, kept], **asdict(answer)}, indent=1), encoding="utf-8")
        except OSError:
            return


def timed(text: str, seconds: float) -> str:
    """A summary with the seconds of this command."""
    return SECONDS.sub(lambda line: f"{line[1]}{seconds:.1f}{line[2]}", text, count=1)


def _digest(parts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        written = repr(part).encode()
        digest.update(b"%d " % len(written) + written)
    return digest.hexdigest()


def _slug(path: Path) -> str:
    """The competition's name on Kaggle, as its file has it.

    Raises:
        ValueError: it is not written out there.
    """
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.keyword) and node.arg == "slug" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    raise ValueError("no slug")


def declaration_of(name: str) -> Path:
    """The file that declares a competition."""
    return REPOSITORY / "pipelines" / "competitions" / f"{name}.py"


def code_files() -> list[Path]:
    """All files of our code."""
    return sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


def _code() -> list[object]:
    """All source, what is pinned, the Python, and the names of what is installed, which hold versions."""
    files = [*code_files(), *sorted(REPOSITORY.glob("requirements*.txt"))]
    sources = [(str(path), path.read_bytes()) for path in files]
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed = sorted(name for place in places for name in os.listdir(place))  # noqa: PTH208  # names are enough
    return [sources, installed, sys.version, sys.path[1:]]


def _machine() -> list[object]:
    """What decides on the device and its arithmetic, and where files are looked for."""
    with Path("/proc/cpuinfo").open("rb") as stream:
        processor = re.findall(rb"^(?:model name|flags)\s*:.*$", stream.read(8192), re.MULTILINE)[:2]
    nodes = [_look(path) for each in GPUS for path in sorted(DEVICES.glob(each))]
    driver = Path("/proc/driver/nvidia/version")
    known = driver.read_bytes() if driver.is_file() else b""
    variables = [os.environ.get(name) for name in VARIABLES]
    return [platform.node(), processor, nodes, known, variables, has_credentials()]


def _raw(home: Home, name: str, slug: str) -> list[object]:
    """All places that may hold the raw files, in the order in which they are asked."""
    places = [home.raw / name, home.raw / slug]
    for folder in home.archives():
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
        places += [folder / f"{slug}.zip", folder / slug]
    return list(_files(places))


def _files(places: Iterable[Path]) -> Iterator[object]:
    """All files at some places, or below.

    Raises:
        ValueError: they are too many.
    """
    number = 0
    for place in places:
        yield _look(place)
        for folder, folders, names in os.walk(place):
            folders.sort()
            for each in sorted(names):
                number += 1
                if number > MOST_FILES:
                    raise ValueError("too many files")
                yield _look(Path(folder) / each)


def _predictions(folders: Iterable[Path]) -> Iterator[object]:
    """The predictions of all runs, which a hit reads."""
    for folder in folders:
        for path in sorted(folder.glob("*/artifacts/*_predictions.parquet")):
            yield _look(path)


def _look(path: Path) -> tuple[object, ...]:
    """A file as far as its inode tells; what is written into it changes that."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (str(path), None)
    if stat.S_ISDIR(found.st_mode):
        return (str(path), "folder")
    return (str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_rdev)


def _rows(database: Path, questions: Iterable[str], labels: Sequence[str]) -> list[object]:
    """What a database answers to some questions about two labels, in one state of it."""
    with connected(database) as connection:
        return [connection.execute(question, tuple(labels)).fetchall() for question in questions]
