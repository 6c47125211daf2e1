"""Sending: which submission goes to Kaggle, and what keeps it from going."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from data.errors import UsageError
from data.sources import Source
from pipelines import stages
from pipelines.job import Job
from pipelines.runs import FinishedRun, Runs
from submissions import drafts
from submissions.check import RefusedError
from submissions.lint import lint
from submissions.outbox import Entry, Outbox


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A submission file that may be sent."""

    run: FinishedRun
    file: Path
    sha256: str
    rows: int
    message: str

    @property
    def entry(self) -> Entry:
        """It, in the outbox."""
        run = self.run
        return Entry(
            competition=run.tags["competition"],
            file=self.file.name,
            sha256=self.sha256,
            run=run.id,
            message=self.message,
        )


def parcel(job: Job, runs: Runs, run: str | None, note: str) -> Parcel:
    """The submission of a run, checked once more; of the one that was written last where none is named.

    Raises:
        UsageError: nothing was written.
        RefusedError: it is of the twin, older than its run, or not what its run has written.
        BadDataError: Kaggle would refuse it.
    """
    found = runs.find(run) if run else _latest(job, runs)
    if found.tags["competition"] != job.name:
        raise UsageError(f"{found.name} is a run of {found.tags['competition']}, and not of {job.name}")
    if found.tags["data_source"] == Source.TWIN:
        raise RefusedError(f"{found.name} was trained on made-up rows: Kaggle takes predictions of its own ones only")
    if found.tags["data_source"] == Source.PACKAGE:
        mend = f"make fetch C={job.name} gets those, and make {job.name} trains on them"
        raise RefusedError(f"{found.name} was trained on rows of a package, and not on Kaggle's files: {mend}")
    again = f"make submit C={job.name} MODEL={found.tags['model']}"
    if "submission" not in found.tags:
        raise UsageError(f"{found.name} has written no submission: {again} writes it")
    file = job.home.submissions / job.name / found.tags["submission"]
    if not file.is_file():
        raise UsageError(f"{file} is gone: {again} writes it again")
    content = file.read_bytes()
    if drafts.sha256(content) != found.tags["submission_sha256"]:
        raise RefusedError(f"{file} is not what {found.name} has written: {again} writes it again")
    if file.stat().st_mtime * 1000 < found.ended:
        raise RefusedError(f"{file} is older than {found.name}, which is said to have written it")
    schema, layout = job.competition.schema, job.competition.layout
    sample = stages.ingest(job).tables.sample
    rows = len(lint(content, str(file), sample, layout, schema, ours=True).frame)
    message = f"{found.tags['model']} cv={found.metrics['cv_score']:.4f} run={found.id[:8]}"
    if found.tags["git_commit"]:
        message += f" git={found.tags['git_commit'][:7]}"
    return Parcel(
        run=found,
        file=file,
        sha256=found.tags["submission_sha256"],
        rows=rows,
        message=" ".join(filter(None, (message, note.strip()))),
    )


def _latest(job: Job, runs: Runs) -> FinishedRun:
    """The run whose submission is `latest.csv`."""
    latest = job.home.submissions / job.name / drafts.LATEST
    if not latest.is_file():
        twin = (job.home.submissions / f"{job.name}{stages.TWIN_SUFFIX}" / drafts.LATEST).is_file()
        beside = "; that of the twin cannot be sent" if twin else ""
        raise UsageError(f"there is no submission of {job.name} yet: make {job.name}{beside}")
    sha256 = drafts.sha256(latest.read_bytes())
    written = [run for run in runs.trainings([job.name]) if run.tags.get("submission_sha256") == sha256]
    if not written:
        raise RefusedError(f"no run has written {latest}: name the one that is to be sent, RUN=<run>")
    return written[0]


def queue(parcel: Parcel, outbox: Outbox) -> None:
    """Puts a submission into the outbox; of one that waits there, and was not asked for yet, the message is renewed.

    Raises:
        RefusedError: see `refuse_twice`.
    """
    refuse_twice(parcel, outbox)
    waiting = next((each for each in outbox.read() if each.waits and each.sha256 == parcel.sha256), None)
    if waiting is None:
        outbox.put(parcel.entry)
    elif not waiting.is_asked:
        outbox.put(replace(waiting, message=parcel.message))


def refuse_twice(parcel: Parcel, outbox: Outbox) -> None:
    """Refuses what was sent already; what Kaggle listed as an error may be sent again.

    Raises:
        RefusedError: its bytes were.
    """
    for each in outbox.read():
        if each.sha256 == parcel.sha256 and each.is_listed and not each.error:
            scored = "" if each.public is None else f", and scored {each.public:.5f}"
            raise RefusedError(f"the bytes of {parcel.file.name} were sent already, as {each.file}{scored}")


def drop(file: str, outbox: Outbox) -> None:
    """Takes a submission out of the queue.

    Raises:
        UsageError: it does not wait.
        RefusedError: Kaggle was asked for it, and may have it.
    """
    waiting = {each.file: each for each in outbox.read() if each.waits}
    if file not in waiting:
        raise UsageError(f"{file} does not wait to be sent" + (f", but {', '.join(waiting)}" if waiting else ""))
    if waiting[file].is_asked:
        raise RefusedError(f"Kaggle was asked for {file} already, and may have it: `make send SEND=yes` looks")
    outbox.drop(waiting[file])
