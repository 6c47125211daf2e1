"""Delivery: what waits in the outbox to Kaggle, once whatever happens on the way, and scores back to their runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from data.errors import NotAllowedError, PodiumError, TryLaterError, UnavailableError, UsageError
from data.kaggle import Account, Listed
from data.refusals import SITE
from pipelines.competition import find
from pipelines.home import Home
from pipelines.runs import PRIVATE, PUBLIC, Runs
from pipelines.scores import Sent
from submissions import drafts
from submissions.check import RefusedError
from submissions.outbox import Entry, Outbox, State

FIRST_LOOK, SLOWER, LONGEST_LOOK = 1.0, 1.6, 15.0  # seconds between two looks at Kaggle's list, and how they grow
SCORED = 300.0  # seconds that a score is waited for
LOST = 120.0  # seconds after which what Kaggle does not list was never made
LOOKS = 6  # at least, before that is believed
LOOKED_FOR = (State.ASKED, State.SENT)
NO_REASON = "Kaggle gives no reason"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Sends what waits in a home's outbox.

    Args:
        tell: is told what is waited for.
    """

    home: Home
    account: Account
    outbox: Outbox
    runs: Runs
    tell: Callable[[str], None]

    def all(self) -> Iterator[Entry]:
        """Sends all that waits, the oldest first, and reads back what Kaggle makes of it.

        What is refused in one competition, or has to wait there, keeps nothing of another one from going.

        Raises:
            UnavailableError: Kaggle is away; what waits goes on waiting.
            TryLaterError: Kaggle takes no more for now, at the end.
            NotAllowedError, UsageError, RefusedError: it is refused, at the end.
        """
        closed: dict[str, PodiumError] = {}  # by competition
        gone: list[PodiumError] = []
        for entry in [each for each in self.outbox.read() if each.waits]:
            if entry.competition in closed:
                continue
            try:
                yield self._one(entry)
            except UnavailableError as error:
                for each in (*gone, *closed.values()):
                    self.tell(str(each))
                raise self._waiting(error) from error
            except (TryLaterError, NotAllowedError, UsageError) as error:
                closed[entry.competition] = error
            except RefusedError as error:
                gone.append(error)
        refused = [*gone, *closed.values()]
        for each in refused[:-1]:
            self.tell(str(each))
        if refused:
            raise self._waiting(refused[-1]) from refused[-1]

    def _waiting(self, error: PodiumError) -> PodiumError:
        """The error, and what is still to be sent after it."""
        waiting = sum(each.waits for each in self.outbox.read())
        beside = f"; {waiting} in the queue: `make send SEND=yes` goes on with it" if waiting else ""
        return type(error)(f"{error}{beside}")

    def _one(self, entry: Entry) -> Entry:
        slug = find(entry.competition).slug
        while True:
            if entry.state is State.QUEUED:
                entry = self._upload(entry, slug)
            if entry.state is State.UPLOADED:
                entry = self._ask(entry, slug)
            if entry.state in LOOKED_FOR:
                entry = self._read_back(entry, slug)
            if entry.state is not State.UPLOADED:
                return record(entry, self.outbox, self.runs, self.tell)

    def _upload(self, entry: Entry, slug: str) -> Entry:
        before = [each for each in self.account.submissions(slug) if each.file == entry.file]
        file = self.home.submissions / entry.competition / entry.file
        if not file.is_file() or drafts.sha256(file.read_bytes()) != entry.sha256:
            self.outbox.drop(entry)
            raise RefusedError(f"{file} is gone, or is not what was to be sent: it is taken out of the queue")
        by_hand = next((each for each in before if each.status != "error" and each.size == file.stat().st_size), None)
        if by_hand is not None:
            self.tell(f"Kaggle has {entry.file} already: it is not sent again")
            return self.outbox.put(listed(entry, by_hand))
        left = self.account.budget(slug).left
        if left is not None and left < 1:
            raise TryLaterError(f"the day's submissions of {slug} are spent: Kaggle counts anew at midnight UTC")
        self.tell(f"uploading {entry.file}")
        token = self.account.upload(slug, file)
        after = max((each.ref for each in before), default=0)
        return self.outbox.put(replace(entry, state=State.UPLOADED, token=token, after=after))

    def _ask(self, entry: Entry, slug: str) -> Entry:
        """Asks for a submission of what was uploaded; only the list of Kaggle tells then whether there is one."""
        entry = self.outbox.put(replace(entry, state=State.ASKED, asked=time.time()))
        try:
            self.account.submit(slug, entry.token, entry.message)
        except UnavailableError as error:  # Kaggle may have made it before the connection broke
            self.tell(f"{error}: looking whether it arrived")
        except (NotAllowedError, UsageError):
            self.outbox.put(replace(entry, state=State.QUEUED, token=""))
            raise
        except TryLaterError:
            self.outbox.put(replace(entry, state=State.UPLOADED))
            raise
        return entry

    def _read_back(self, entry: Entry, slug: str) -> Entry:
        """Looks until Kaggle lists the submission with a score or as an error, or it is clear that there is none."""
        pause, looks, started = FIRST_LOOK, 0, time.time()
        while True:
            looks += 1
            found = next((each for each in self.account.submissions(slug) if is_of(entry, each)), None)
            if found is not None:
                entry = self.outbox.put(listed(entry, found))
                if entry.state is State.READ:
                    return entry
            elif entry.state is State.ASKED and looks >= LOOKS and time.time() - entry.asked > LOST:
                self.tell(f"Kaggle never made a submission of {entry.file}: asking once more")
                return self.outbox.put(replace(entry, state=State.UPLOADED))
            if time.time() - started > SCORED:
                return entry
            stage = "not listed yet" if found is None else "scoring"
            self.tell(f"waiting for {SITE}/competitions/{slug}/submissions: {stage}")
            time.sleep(pause)
            pause = min(pause * SLOWER, LONGEST_LOOK)


def is_of(entry: Entry, found: Listed) -> bool:
    """Whether a submission that Kaggle lists is the one of an entry that was asked for."""
    return found.file == entry.file and (found.ref == entry.ref if entry.ref else found.ref > entry.after)


def listed(entry: Entry, found: Listed) -> Entry:
    """An entry as Kaggle lists it."""
    return replace(
        entry,
        state=State.SENT if found.status == "pending" else State.READ,
        ref=found.ref,
        public=found.public,
        private=found.private,
        error=(found.error or NO_REASON) if found.status == "error" else "",
    )


def record(entry: Entry, outbox: Outbox, runs: Runs, tell: Callable[[str], None]) -> Entry:
    """Writes to the run what Kaggle made of its submission; one that has no score yet goes on waiting."""
    if entry.state is not State.READ:
        return entry
    tracker = runs.writable()
    if tracker.has(entry.run):
        tracker.log(entry.run, _scores(entry.public, entry.private))
        tracker.tag(entry.run, {"kaggle_ref": str(entry.ref), **({"kaggle_error": entry.error} if entry.error else {})})
    else:
        tell(f"the run of {entry.file} was deleted: `make scores` alone tells what Kaggle made of it")
    return outbox.put(replace(entry, state=State.DONE))


def record_late(
    found: Sequence[Sent], entries: Sequence[Entry], outbox: Outbox, runs: Runs, tell: Callable[[str], None]
) -> None:
    """Writes the scores that came after nobody waited for them any more, and those of files that were sent by hand."""
    for each in found:
        late = [entry for entry in entries if entry.state in LOOKED_FOR and is_of(entry, each.listed)]
        for entry in late:
            record(outbox.put(listed(entry, each.listed)), outbox, runs, tell)
        if not late and each.run is not None and each.listed.public is not None and PUBLIC not in each.run.metrics:
            runs.writable().log(each.run.id, _scores(each.listed.public, each.listed.private))


def _scores(public: float | None, private: float | None) -> dict[str, float]:
    return {name: score for name, score in ((PUBLIC, public), (PRIVATE, private)) if score is not None}
