"""Drafted: a competition's declaration, from its files to its place, tried before anybody runs it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import invalidate_caches
from pathlib import Path

from rich.table import Table

from data.errors import BadDataError, PodiumError, UsageError
from data.files import beside
from pipelines import stages
from pipelines.competition import FOLDER, find, names
from pipelines.drafting import draft
from pipelines.guess import Guess
from pipelines.guessing import guess
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from pipelines.planning import Plan, plan
from pipelines.undeclared import Undeclared
from pipelines.wording import listed

TARGET_OF_MAKE = re.compile(r"^([a-z_]+):", re.MULTILINE)
MOST_NAMED = 6  # columns in a cell of the table
Prompt = Callable[..., str]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person has said; the rest is guessed."""

    target: str | None = None
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """A declaration that was written."""

    path: Path
    table: Table
    notes: tuple[str, ...]


def name_of(slug: str, over: bool = False) -> str:
    """The name of the file, and so of the target of make.

    Raises:
        UsageError: no file can have it, or one has it by now.
    """
    name = re.sub(r"\W+", "_", slug.strip().lower()).strip("_")
    if not name or name[0].isdigit():
        name = f"c{name}" if name else ""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", slug) or not name:
        raise UsageError(f"a competition's name is made of letters, digits and -, but got {slug!r}")
    if keyword.iskeyword(name) or name in TARGET_OF_MAKE.findall((REPOSITORY / "Makefile").read_text()):
        raise UsageError(f"{name} is a word of make's or Python's: make new NAME=my-{slug}")
    if name in names() and not over:
        raise UsageError(f"{FOLDER / name}.py is there by now: remove it, or write over it with ARGS=--over")
    return name


def ask(files: Undeclared, asked: Asked, prompt: Prompt) -> Asked:
    """Asks a person what the files do not say for certain; the guess is the answer to Enter."""
    if files.lines:
        return asked
    try:
        guessed = guess(files, asked.target, asked.id)
    except UsageError as error:
        if asked.target is not None or not files.test:
            raise
        print(error)
        only = [str(name) for name in files.tables[files.train] if name not in files.tables[files.test]]
        if not only:
            raise
        told = _choice(prompt, f"which column is predicted ({', '.join(only[:20])})", only[-1], only)
        return ask(files, replace(asked, target=told), prompt)
    if asked.target is None and len(guessed.targets) == 1:
        columns = list(map(str, files.tables[files.train]))
        target = _choice(prompt, f"which column is predicted ({', '.join(columns[:20])})", guessed.targets[0], columns)
        asked = replace(asked, target=target if target != guessed.targets[0] else None)
    if asked.id is None and guessed.id in guessed.train:
        columns = [str(name) for name in files.tables[files.train] if name not in (asked.target, *guessed.targets)]
        own = _choice(prompt, "which column names a row", guessed.id, columns)
        asked = replace(asked, id=own if own != guessed.id else None)
    return asked


def _choice(prompt: Prompt, question: str, guessed: str, columns: list[str]) -> str:
    while True:
        said = prompt(question, default=guessed)
        if said in columns:
            return said
        question = f"{said!r} is none of {', '.join(columns[:20])}; which"


def write(name: str, slug: str, files: Undeclared, asked: Asked, home: Home) -> Drafted:
    """Writes the declaration, and reads the files by it.

    Raises:
        UsageError: nobody can tell what is predicted, or what was drafted is no declaration; what was there stays.
        PodiumError: the files do not fit what was guessed of them; the declaration stays, to be mended.
    """
    found = guess(files, asked.target, asked.id)
    planned = plan(found)
    path = FOLDER / f"{name}.py"
    before = path.read_text() if path.is_file() else None
    _place(path, draft(slug, found, planned))
    try:
        find(name)
    except UsageError:  # what cannot even be read is nobody's to mend
        path.unlink() if before is None else _place(path, before)
        raise
    job = Job(name=name, home=home)
    try:
        tables = stages.read(job, stages.locate(job))
    except BadDataError as error:
        more = f", and {len(error.faults) - 1:,} more" if len(error.faults) > 1 else ""
        raise PodiumError(f"written: {path}, but its files do not fit it: {error.faults[0]}{more}") from error
    shape = f"{len(tables.train):,} train, {len(tables.test):,} test"
    return Drafted(path=path, table=_table(found, planned, job, shape), notes=found.notes)


def _place(path: Path, source: str) -> None:
    with beside(path) as part:
        part.write_text(source)
    invalidate_caches()


def _table(found: Guess, planned: Plan, job: Job, shape: str) -> Table:
    """What was guessed, at a glance."""
    competition = job.competition
    table = Table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_row("files", found.files.place)
    table.add_row("rows", shape)
    table.add_row("id", found.id if found.counted_from is None else f"counted from {found.counted_from}")
    classes = f" ({listed(list(map(str, found.classes)), MOST_NAMED)})" if found.classes else ""
    table.add_row("predicted", f"{listed(list(found.targets), MOST_NAMED)}: {found.kind.value}{classes}")
    table.add_row("scored by", f"{competition.metric.name}, written as {type(competition.layout).__name__}")
    split = f"{found.folds} folds"
    split += (
        f", rows of one {found.group} together" if found.group else f", in the order of {found.time}" * bool(found.time)
    )
    table.add_row("split", split)
    for use, columns in planned.blocks.items():
        table.add_row(use, f"{len(columns)}: {listed(columns, MOST_NAMED)}")
    others: dict[str, Sequence[str]] = {
        "dates": planned.dates,
        "shared": (*planned.shared, *planned.first_words),
        "text": (f"{planned.text}, by its {'characters' if planned.characters else 'words'}",) if planned.text else (),
        "left out": planned.unread(found),
        "in one file": found.ignored,
    }
    for what, told in others.items():
        if told:
            table.add_row(what, listed(told, MOST_NAMED))
    table.add_row("networks", ", ".join(competition.candidates))
    return table
