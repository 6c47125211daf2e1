"""Kaggle: a competition's files in, submissions out, by the official client; a refusal is a line with its mend."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

from data.errors import NotAllowedError
from data.kaggle_client import TIMEOUT, Tell, client, has_credentials, quiet
from data.refusals import HOW, refusals

PATIENCE = 600  # seconds that are waited in all where Kaggle takes no more requests
WAIT = 5  # seconds, where it does not say how long
PAGE = 100  # submissions
PRINTABLE = re.compile(r"[!-~]+")
UNREADABLE = f"Kaggle's credentials here cannot be read: {HOW}"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be sent."""

    left: int | None  # submissions, by now; None where Kaggle does not say
    today: int  # that were sent


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A submission as Kaggle lists it."""

    ref: int  # Kaggle's number of it, which grows
    file: str
    size: int  # bytes
    message: str
    status: str  # pending, complete or error
    error: str
    public: float | None
    private: float | None
    sent: datetime | None


class Account:
    """A user of Kaggle.

    Args:
        tell: is told what is waited for.

    Raises:
        NotAllowedError: there are no credentials, or Kaggle does not know them.
        UnavailableError: the client is not installed, or Kaggle cannot be reached.
    """

    def __init__(self, tell: Tell) -> None:
        from requests import RequestException

        if not has_credentials():
            raise NotAllowedError(f"no Kaggle account is known here: {HOW}")
        self._tell = tell
        self._api = client()
        with refusals(), quiet():
            try:
                self._patiently(self._api.authenticate)
            except SystemExit as error:
                raise NotAllowedError(f"Kaggle does not know these credentials: {HOW}") from error
            except (TypeError, KeyError, AttributeError, ValueError) as error:
                if isinstance(error, RequestException):
                    raise
                raise NotAllowedError(UNREADABLE) from None  # whose words may hold them
        if not all(
            PRINTABLE.fullmatch(each) for each in (self._api.config_values.get("username", "-"), *self._secrets())
        ):
            raise NotAllowedError(UNREADABLE)

    def download(self, slug: str, folder: Path, show: bool = False) -> Path:
        """The archive of a competition; a download that was cut off goes on where it was.

        Args:
            slug: the competition's name on Kaggle.
            folder: where to; what lies there of an earlier try is used.
            show: whether to show a bar and to tell of further tries.
        """
        with self._asking(slug), quiet(self._tell):
            self._patiently(lambda: self._api.competition_download_files(slug, str(folder), quiet=not show))
        return folder / f"{slug}.zip"

    def budget(self, slug: str) -> Budget:
        """What may be sent today."""
        with self._asking(slug), quiet():
            found = self._patiently(lambda: self._api.competition_get_submission_limits(slug))
            left, today = found.num_allowed_now, found.num_today or 0
        return Budget(left=left if left or today else None, today=today)  # none, and none sent: it did not say

    def submissions(self, slug: str) -> list[Listed]:
        """All that were sent, the newest first."""
        found: list[Any] = []
        with self._asking(slug), quiet():
            while True:
                number = len(found) // PAGE + 1
                ask = partial(self._api.competition_submissions, slug, page_number=number, page_size=PAGE)
                page = self._patiently(ask)
                found += page or []
                if len(page or []) < PAGE:
                    return sorted(map(_listed, found), key=lambda each: each.ref, reverse=True)

    def upload(self, slug: str, file: Path) -> str:
        """Uploads a file, which is no submission yet; what names it for `submit`."""
        import requests
        from kagglesdk.competitions.types.competition_api_service import ApiStartSubmissionUploadRequest

        request = ApiStartSubmissionUploadRequest()
        request.competition_name, request.file_name = slug, file.name
        request.content_length = file.stat().st_size
        request.last_modified_epoch_seconds = int(file.stat().st_mtime)
        with self._asking(slug), quiet():
            started = self._patiently(lambda: self._service().start_submission_upload(request))
            # the client's own upload tells nobody why it failed, and has no limit of time
            requests.put(started.create_url, data=file.read_bytes(), timeout=TIMEOUT).raise_for_status()
        return str(started.token)

    def submit(self, slug: str, token: str, message: str) -> None:
        """Makes a submission of what was uploaded; where it fails, only `submissions` tells whether it arrived."""
        from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

        request = ApiCreateSubmissionRequest()
        request.competition_name, request.blob_file_tokens, request.submission_description = slug, token, message
        with self._asking(slug), quiet():
            self._patiently(lambda: self._service().create_submission(request))

    def _service(self) -> Any:
        return self._api.build_kaggle_client().competitions.competition_api_client

    def _asking(self, slug: str) -> AbstractContextManager[None]:
        return refusals(slug, self._secrets())

    def _secrets(self) -> list[str]:
        values = self._api.config_values
        return [values[name] for name in ("key", "token", "api_token") if values.get(name)]

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """What Kaggle answers; waits where it takes no more requests for a while."""
        from requests import HTTPError

        waited = 0.0
        while True:
            try:
                return ask()
            except HTTPError as error:
                if error.response is None or error.response.status_code != 429:
                    raise
                pause = _pause(error.response.headers.get("Retry-After"))
                if waited + pause > PATIENCE:
                    raise
                self._tell(f"Kaggle takes no more requests for now: going on in {pause:.0f} s")
                time.sleep(pause)
                waited += pause


def _pause(header: str | None) -> float:
    """Seconds, of a Retry-After header, which names them or a time."""
    if header is None:
        return WAIT
    with suppress(ValueError):
        return max(0.0, float(header))
    with suppress(ValueError):
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    return WAIT


def _listed(found: Any) -> Listed:
    return Listed(
        ref=found.ref,
        file=found.file_name or "",
        size=found.total_bytes or 0,
        message=found.description or "",
        status=found.status.name.lower(),
        error=found.error_description or "",
        public=_score(found.public_score),
        private=_score(found.private_score),
        sent=found.date,
    )


def _score(text: str | None) -> float | None:
    try:
        score = float(text) if text else math.nan
    except ValueError:
        return None
    return score if math.isfinite(score) else None
