"""Sending: a submission to Kaggle, once whatever happens on the way, and its score back to the run that made it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.errors import NotAllowedError, PodiumError, TryLaterError, UnavailableError, UsageError
from data.kaggle import Account, Listed
from data.refusals import SITE
from data.sources import Source
from pipelines import stages
from pipelines.competition import find
from pipelines.home import Home
from pipelines.job import Job
from pipelines.runs import PRIVATE, PUBLIC, FinishedRun
from pipelines.scores import Sent
from pipelines.tracking import Tracker
from submissions import drafts
from submissions.check import RefusedError
from submissions.lint import lint
from submissions.outbox import Entry, Outbox, State

FIRST_LOOK, SLOWER, LONGEST_LOOK = 1.0, 1.6, 15.0  # seconds between two looks at Kaggle's list, and how they grow
SCORED = 300.0  # seconds that a score is waited for
LOST = 120.0  # seconds after which what Kaggle does not list was never made
LOOKS = 6  # at least, before that is believed

Tell = Callable[[str], None]


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


def parcel(job: Job, tracker: Tracker, run: str | None, note: str) -> Parcel:
    """The submission of a run, checked once more; of the one that was written last where none is named.

    Raises:
        UsageError: nothing was written.
        RefusedError: it is of the twin, older than its run, or not what its run has written.
        BadDataError: Kaggle would refuse it.
    """
    found = tracker.find(run) if run else _latest(job, tracker)
    if found.tags["competition"] != job.name:
        raise UsageError(f"{found.name} is a run of {found.tags['competition']}, and not of {job.name}")
    if found.tags["data_source"] == Source.TWIN:
        raise RefusedError(f"{found.name} was trained on made-up rows: Kaggle takes predictions of its own ones only")
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
    rows = len(lint(content, str(file), sample, layout, schema).frame)
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


def _latest(job: Job, tracker: Tracker) -> FinishedRun:
    """The run whose submission is `latest.csv`."""
    latest = job.home.submissions / job.name / drafts.LATEST
    if not latest.is_file():
        twin = (job.home.submissions / f"{job.name}{stages.TWIN_SUFFIX}" / drafts.LATEST).is_file()
        beside = "; that of the twin cannot be sent" if twin else ""
        raise UsageError(f"there is no submission of {job.name} yet: make {job.name}{beside}")
    sha256 = drafts.sha256(latest.read_bytes())
    runs = [run for run in tracker.trainings([job.name]) if run.tags.get("submission_sha256") == sha256]
    if not runs:
        raise RefusedError(f"no run has written {latest}: name the one that is to be sent, RUN=<run>")
    return runs[0]


def queue(parcel: Parcel, outbox: Outbox) -> None:
    """Puts a submission into the outbox, unless it waits there already.

    Raises:
        RefusedError: see `refuse_twice`.
    """
    refuse_twice(parcel, outbox)
    if parcel.sha256 not in {each.sha256 for each in outbox.read()}:
        outbox.put(parcel.entry)


def refuse_twice(parcel: Parcel, outbox: Outbox) -> None:
    """Refuses what was sent already.

    Raises:
        RefusedError: its bytes were.
    """
    for each in outbox.read():
        if each.sha256 == parcel.sha256 and each.state in (State.SENT, State.DONE):
            scored = "" if each.public is None else f", and scored {each.public:.5f}"
            raise RefusedError(f"{each.file} was sent already{scored}: it has the same bytes as {parcel.file.name}")


def deliver(home: Home, tell: Tell, account: Account, outbox: Outbox, tracker: Tracker) -> Iterator[Entry]:
    """Sends all that waits, the oldest first, and reads back what Kaggle makes of it.

    What is refused in one competition, or has to wait there, keeps nothing of another one from going.

    Raises:
        UnavailableError: Kaggle is away; what waits goes on waiting.
        TryLaterError: Kaggle takes no more for now, at the end.
        NotAllowedError, UsageError, RefusedError: it is refused, at the end.
    """
    closed: dict[str, PodiumError] = {}  # by competition
    gone: list[PodiumError] = []
    for entry in [each for each in outbox.read() if each.waits]:
        if entry.competition in closed:
            continue
        try:
            yield _deliver(entry, find(entry.competition).slug, home, tell, account, outbox, tracker)
        except UnavailableError as error:
            raise _waiting(error, outbox) from error
        except (TryLaterError, NotAllowedError, UsageError) as error:
            closed[entry.competition] = error
        except RefusedError as error:
            gone.append(error)
    refused = [*gone, *closed.values()]
    for each in refused[:-1]:
        tell(str(each))
    if refused:
        raise _waiting(refused[-1], outbox) from refused[-1]


def _waiting(error: PodiumError, outbox: Outbox) -> PodiumError:
    """The error, and what is still to be sent after it."""
    waiting = sum(each.waits for each in outbox.read())
    beside = f"; {waiting} in the queue: `make send SEND=yes` goes on with it" if waiting else ""
    return type(error)(f"{error}{beside}")


def _deliver(
    entry: Entry, slug: str, home: Home, tell: Tell, account: Account, outbox: Outbox, tracker: Tracker
) -> Entry:
    while True:
        if entry.state is State.QUEUED:
            if (made := _find(entry, slug, account)) is not None:
                tell(f"Kaggle has {entry.file} already: it is not sent again")
                entry = outbox.put(listed(entry, made))
            else:
                entry = _upload(entry, slug, home, tell, account, outbox)
        if entry.state is State.UPLOADED:
            entry = _ask(entry, slug, tell, account, outbox)
        entry = _read_back(entry, slug, tell, account, outbox)
        if entry.state is not State.UPLOADED:
            return record(entry, outbox, tracker)


def _find(entry: Entry, slug: str, account: Account) -> Listed | None:
    return next((each for each in account.submissions(slug) if each.file == entry.file), None)


def _upload(entry: Entry, slug: str, home: Home, tell: Tell, account: Account, outbox: Outbox) -> Entry:
    if account.budget(slug).left < 1:
        raise TryLaterError(f"the day's submissions of {slug} are spent: Kaggle counts anew at midnight UTC")
    file = home.submissions / entry.competition / entry.file
    if not file.is_file() or drafts.sha256(file.read_bytes()) != entry.sha256:
        outbox.drop(entry)
        raise RefusedError(f"{file} is gone, or is not what was to be sent: it is taken out of the queue")
    tell(f"uploading {entry.file}")
    token = account.upload(slug, file)
    return outbox.put(replace(entry, state=State.UPLOADED, token=token))


def _ask(entry: Entry, slug: str, tell: Tell, account: Account, outbox: Outbox) -> Entry:
    """Asks for a submission of what was uploaded; only the list of Kaggle tells then whether there is one."""
    entry = outbox.put(replace(entry, state=State.ASKED, asked=time.time()))
    try:
        account.submit(slug, entry.token, entry.message)
    except UnavailableError as error:  # Kaggle may have made it before the connection broke
        tell(f"{error}: looking whether it arrived")
    except (NotAllowedError, UsageError):
        outbox.put(replace(entry, state=State.QUEUED, token=""))
        raise
    except TryLaterError:
        outbox.put(replace(entry, state=State.UPLOADED))
        raise
    return entry


def _read_back(entry: Entry, slug: str, tell: Tell, account: Account, outbox: Outbox) -> Entry:
    """Looks until Kaggle lists the submission with a score or as an error, or it is clear that there is none."""
    pause, looks, started = FIRST_LOOK, 0, time.time()
    while True:
        looks += 1
        found = _find(entry, slug, account)
        if found is not None:
            entry = outbox.put(listed(entry, found))
            if found.status != "pending":
                return entry
        elif entry.state is State.ASKED and looks >= LOOKS and time.time() - entry.asked > LOST:
            tell(f"Kaggle never made a submission of {entry.file}: asking once more")
            return outbox.put(replace(entry, state=State.UPLOADED))
        if time.time() - started > SCORED:
            return entry
        tell(f"waiting for {SITE}/competitions/{slug}/submissions: " + ("scoring" if found else "not listed yet"))
        time.sleep(pause)
        pause = min(pause * SLOWER, LONGEST_LOOK)


def listed(entry: Entry, found: Listed) -> Entry:
    """An entry as Kaggle lists it."""
    return replace(
        entry, state=State.SENT, ref=found.ref, public=found.public, private=found.private, error=found.error
    )


def record(entry: Entry, outbox: Outbox, tracker: Tracker) -> Entry:
    """Writes to the run what Kaggle made of its submission; one that has no score yet goes on waiting."""
    if entry.public is None and not entry.error:
        return entry
    tracker.log(entry.run, _scores(entry.public, entry.private))
    tracker.tag(entry.run, {"kaggle_ref": str(entry.ref), **({"kaggle_error": entry.error} if entry.error else {})})
    return outbox.put(replace(entry, state=State.DONE))


def record_late(found: Sequence[Sent], entries: Sequence[Entry], outbox: Outbox, tracker: Tracker) -> None:
    """Writes the scores that came after nobody waited for them any more, and those of files that were sent by hand."""
    known = {each.file: each for each in entries}
    for each in found:
        entry, run = known.get(each.listed.file), each.run
        if entry is not None and entry.waits and each.listed.status != "pending":
            record(outbox.put(listed(entry, each.listed)), outbox, tracker)
        elif run is not None and each.listed.public is not None and PUBLIC not in run.metrics:
            tracker.log(run.id, _scores(each.listed.public, each.listed.private))


def _scores(public: float | None, private: float | None) -> dict[str, float]:
    return {name: score for name, score in ((PUBLIC, public), (PRIVATE, private)) if score is not None}
