"""Refusals: what Kaggle's client raises, told apart and in a line with what to do."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from data.errors import NotAllowedError, PodiumError, StorageError, TryLaterError, UnavailableError, UsageError

SITE = "https://www.kaggle.com"
HOW = f"make a token at {SITE}/settings/api, and put it into KAGGLE_API_TOKEN or ~/.kaggle/access_token"


@contextmanager
def refusals(slug: str, secrets: Sequence[str]) -> Iterator[None]:
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


def _refusal(error: Any, slug: str, secrets: Sequence[str]) -> PodiumError:
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


def _told(error: Any, secrets: Sequence[str]) -> str:
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
