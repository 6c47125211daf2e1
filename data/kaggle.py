"""Kaggle: a competition's files in, submissions out, by the official client; a refusal is a line with its mend."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

from data.errors import NotAllowedError, PodiumError, StorageError, TryLaterError, UnavailableError, UsageError

SITE = "https://www.kaggle.com"
TIMEOUT = 60  # seconds without a byte
PATIENCE = 600  # seconds that are waited in all where Kaggle takes no more requests
WAIT = 5  # seconds, where it does not say how long
PAGE = 100  # submissions
TOKEN = "KAGGLE_API_TOKEN"  # noqa: S105  # the name of a variable
USER, KEY = "KAGGLE_USERNAME", "KAGGLE_KEY"
FILES = ("access_token", "access_token.txt", "kaggle.json", "credentials.json")  # in a folder of the client's
HOW = f"make a token at {SITE}/settings/api, and put it into {TOKEN} or ~/.kaggle/access_token"

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be sent."""

    left: int  # submissions, by now
    today: int  # that were sent


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A submission as Kaggle lists it."""

    ref: int
    file: str
    message: str
    status: str  # pending, complete or error
    error: str
    public: float | None
    private: float | None
    sent: datetime | None


def has_credentials() -> bool:
    """Whether the client would find some; nothing is read but whether they are there."""
    folders = [Path(os.environ["KAGGLE_CONFIG_DIR"])] if os.environ.get("KAGGLE_CONFIG_DIR") else []
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    with suppress(RuntimeError):  # there is no home
        folders += [Path("~/.kaggle").expanduser(), Path(config).expanduser() / "kaggle"]
    named = os.environ.get(TOKEN) or (os.environ.get(USER) and os.environ.get(KEY))
    return bool(named) or any((folder / name).is_file() for folder in folders for name in FILES)


class Account:
    """A user of Kaggle.

    Args:
        tell: is told what is waited for.

    Raises:
        NotAllowedError: there are no credentials, or Kaggle does not know them.
        UnavailableError: the client is not installed, or Kaggle cannot be reached.
    """

    def __init__(self, tell: Tell) -> None:
        if not has_credentials():
            raise NotAllowedError(f"no Kaggle account is known here: {HOW}")
        self._tell = tell
        self._api = _client()
        with _refusals("", self._secrets()), _quiet():
            try:
                self._patiently(self._api.authenticate)
            except SystemExit as error:
                raise NotAllowedError(f"Kaggle does not know these credentials: {HOW}") from error

    def download(self, slug: str, folder: Path, show: bool = False) -> Path:
        """The archive of a competition; a download that was cut off goes on where it was.

        Args:
            slug: the competition's name on Kaggle.
            folder: where to; what lies there of an earlier try is used.
            show: whether to show a bar.
        """
        with self._asking(slug), _quiet():
            self._patiently(lambda: self._api.competition_download_files(slug, str(folder), quiet=not show))
        return folder / f"{slug}.zip"

    def budget(self, slug: str) -> Budget:
        """What may be sent today."""
        with self._asking(slug), _quiet():
            found = self._patiently(lambda: self._api.competition_get_submission_limits(slug))
        return Budget(left=found.num_allowed_now, today=found.num_today)

    def submissions(self, slug: str) -> list[Listed]:
        """All that were sent, the newest first."""
        found: list[Any] = []
        with self._asking(slug), _quiet():
            while True:
                number = len(found) // PAGE + 1
                ask = partial(self._api.competition_submissions, slug, page_number=number, page_size=PAGE)
                page = self._patiently(ask)
                found += page or []
                if len(page or []) < PAGE:
                    return [_listed(each) for each in found]

    def upload(self, slug: str, file: Path) -> str:
        """Uploads a file, which is no submission yet; what names it for `submit`."""
        import requests
        from kagglesdk.competitions.types.competition_api_service import ApiStartSubmissionUploadRequest

        request = ApiStartSubmissionUploadRequest()
        request.competition_name, request.file_name = slug, file.name
        request.content_length = file.stat().st_size
        request.last_modified_epoch_seconds = int(file.stat().st_mtime)
        with self._asking(slug), _quiet():
            started = self._patiently(lambda: self._service().start_submission_upload(request))
            # the client's own upload tells nobody why it failed, and has no limit of time
            requests.put(started.create_url, data=file.read_bytes(), timeout=TIMEOUT).raise_for_status()
        return str(started.token)

    def submit(self, slug: str, token: str, message: str) -> None:
        """Makes a submission of what was uploaded. It is asked once: only `submissions` tells whether it arrived."""
        from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

        request = ApiCreateSubmissionRequest()
        request.competition_name, request.blob_file_tokens, request.submission_description = slug, token, message
        with self._asking(slug), _quiet():
            self._patiently(lambda: self._service().create_submission(request))

    def _service(self) -> Any:
        return self._api.build_kaggle_client().competitions.competition_api_client

    def _asking(self, slug: str) -> Any:
        return _refusals(slug, self._secrets())

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


def _client() -> Any:
    """The official client, which looks at the environment and at the user's folder when it is imported."""
    try:
        with _quiet(), _without_token():
            from kaggle.api.kaggle_api_extended import KaggleApi
            from kagglesdk.kaggle_client import KaggleClient
            from kagglesdk.kaggle_env import get_env
    except ImportError as error:
        raise UnavailableError("Kaggle's client is not installed: make extras EXTRAS=kaggle") from error

    class Api(KaggleApi):
        """Honours KAGGLE_API_ENVIRONMENT, and waits for no answer for ever; the client's own does neither."""

        def build_kaggle_client(self) -> Any:
            values = self.config_values
            found = KaggleClient(
                env=get_env(),
                username=values.get(self.CONFIG_NAME_USER),
                password=values.get(self.CONFIG_NAME_KEY),
                api_token=values.get(self.CONFIG_NAME_TOKEN),
            )
            with found:
                _limit(found.http_client()._session)
            return found

    return Api()


def _limit(session: Any) -> None:
    """Gives every request of a session a limit of time."""
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):
        def send(self, request: Any, **how: Any) -> Any:  # type: ignore[override]
            return super().send(request, **{**how, "timeout": how.get("timeout") or TIMEOUT})

    for scheme in ("http://", "https://"):
        session.mount(scheme, Limited())


@contextmanager
def _without_token() -> Iterator[None]:
    """Hides the token of the environment; when the client is imported it asks kaggle.com about it, without a limit."""
    token = os.environ.pop(TOKEN, None)
    try:
        yield
    finally:
        if token is not None:
            os.environ[TOKEN] = token


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what the client prints off stdout, whose last line is ours."""
    with redirect_stdout(io.StringIO()):
        yield


@contextmanager
def _refusals(slug: str, secrets: list[str]) -> Iterator[None]:
    """Tells each kind of refusal in a line of its own."""
    from requests import HTTPError, RequestException

    try:
        yield
    except HTTPError as error:
        raise _refusal(error, slug, secrets) from None  # the chain holds what was sent
    except RequestException as error:
        raise UnavailableError(f"Kaggle cannot be reached ({_cause(error)}): is the network up?") from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        told = "the disk is full" if full else error.strerror
        raise StorageError(f"{error.filename or 'a file of Kaggle'}: cannot be written: {told}") from error
    except ValueError as error:  # the client's, of a file that is not as long as it should be
        raise UnavailableError(f"Kaggle sent something else than it said ({error}): try again") from None


def _refusal(error: Any, slug: str, secrets: list[str]) -> PodiumError:
    status = error.response.status_code if error.response is not None else 0
    told = _told(error, secrets)
    page = f"{SITE}/competitions/{slug}"
    if status == 401:
        return NotAllowedError(f"Kaggle does not know these credentials: {HOW}")
    if status == 403 and "rules" in told:
        return NotAllowedError(f"Kaggle wants the rules of {slug} accepted first: {page}/rules, then run this again")
    if status == 403 and ("phone" in told or "verif" in told):
        return NotAllowedError(f"Kaggle wants your phone number verified first: {SITE}/settings, then run this again")
    if status == 404 or (status == 403 and "ermission" in told):  # so it answers for a name that nobody has
        return UsageError(
            f"Kaggle shows this account no competition {slug}: is its `slug` right, and are you in it? {page}"
        )
    if status == 429:
        return TryLaterError("Kaggle takes no more requests from this account for now: try again in an hour")
    if status == 400 and re.search("allowance|daily|limit", told):
        return TryLaterError(f"Kaggle takes no more submissions of {slug} today ({told})")
    if status >= 500:
        return UnavailableError(f"Kaggle fails ({status} {told}): try again later")
    return NotAllowedError(f"Kaggle refuses ({status} {told})")


def _told(error: Any, secrets: list[str]) -> str:
    """Kaggle's own words, in a line, without what must not be told."""
    with suppress(ValueError, KeyError, TypeError):
        text = str(error.response.json()["message"])
        for secret in secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300]
    return str(error.response.reason if error.response is not None else type(error).__name__)


def _cause(error: BaseException) -> str:
    """What lies below the words of requests and urllib3, which name objects and addresses."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return getattr(error, "strerror", None) or type(error).__name__


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
        message=found.description or "",
        status=found.status.name.lower(),
        error=found.error_description or "",
        public=_score(found.public_score),
        private=_score(found.private_score),
        sent=found.date,
    )


def _score(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
