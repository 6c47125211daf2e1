"""Checking: the raw files of a competition, and submission files of anybody, against its declaration."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.errors import StorageError, UsageError
from pipelines import stages
from pipelines.job import Job
from submissions.lint import UNLIKE, Linted, agreement, lint
from submissions.outbox import Outbox

LAST = 3  # submissions that a file is compared with


def check_raw(job: Job) -> list[str]:
    """What to say of raw files that fit.

    Raises:
        BadDataError: they do not.
    """
    raw = stages.locate(job)
    tables = stages.read(job, raw)
    rows = f"{len(tables.train):,} train and {len(tables.test):,} test rows"
    return [f"{job.name}: {raw.place} fits its declaration: {rows}"]


def check_submission(job: Job, file: Path) -> list[str]:
    """What to say of a submission file that Kaggle would take, and how alike it is to the last ones that were sent.

    Raises:
        BadDataError: it would not.
        UsageError: there is none.
        StorageError: it cannot be read.
    """
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    sample = stages.ingest(job).tables.sample
    found = _linted(job, file, sample)
    lines = [f"{file}: as Kaggle asks for it: {len(found.frame):,} rows, {found.told}"]
    sent = [each for each in Outbox(job.home.outbox).read() if each.competition == job.name and each.ref]
    for each in sent[: -LAST - 1 : -1]:
        before = job.home.submissions / job.name / each.file
        if before.is_file():
            alike = agreement(found.answers, _linted(job, before, sample).answers)
            scored = "" if each.public is None else f", which scored {each.public:.5f}"
            odd = "; are rows or columns shuffled?" if alike < UNLIKE else ""
            lines.append(f"agrees with {each.file}{scored}: {alike:.3f}{odd}")
    return lines


def _linted(job: Job, file: Path, sample: pd.DataFrame) -> Linted:
    try:
        ours = job.home.submissions.resolve() in file.resolve().parents
        return lint(file.read_bytes(), str(file), sample, job.competition.layout, job.competition.schema, ours=ours)
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error.strerror}") from error
