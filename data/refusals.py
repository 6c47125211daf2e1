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
def refusals(slug: str = "", secrets: Sequence[str] = ()) -> Iterator[None]:
    """Tells each kind of refusal in a line of its own.

    Args:
        slug: the competition that is asked for.
        secrets: are never told.

    Raises:
        NotAllowedError, StorageError, TryLaterError, UnavailableError, UsageError: in the place of what the client
            raises. Their chains are cut, since they hold what was sent.
    """
    from requests import HTTPError, RequestException

    try:
        yield
    except HTTPError as error:
        raise _refusal(error, slug, secrets) from None
    except RequestException as error:
        if isinstance(error, ValueError):  # an answer that is no JSON, an address that is none
            raise _strange(error) from None
        raise UnavailableError(f"Kaggle cannot be reached ({_cause(error)}): is the network up?") from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        told = "the disk is full" if full else error.strerror
        raise StorageError(f"{error.filename or 'a file of Kaggle'}: cannot be written: {told}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # what the client makes of odd answers
        raise _strange(error) from None


def _strange(error: Exception) -> UnavailableError:
    return UnavailableError(f"Kaggle answers what its client does not understand ({type(error).__name__}): try later")


def _refusal(error: Any, slug: str, secrets: Sequence[str]) -> PodiumError:
    status = error.response.status_code if error.response is not None else 0
    told = _told(error, secrets)
    page = f"{SITE}/competitions/{slug}"
    if status == 401:
        return NotAllowedError(f"Kaggle does not know these credentials: {HOW}")
    if status == 429:
        return TryLaterError("Kaggle takes no more requests from this account for now: try again in an hour")
    if status >= 500:
        return UnavailableError(f"Kaggle fails ({status} {told}): try again later")
    if error.response is not None and error.response.request.method != "POST":  # so it is no answer of the API
        return UnavailableError(f"Kaggle's storage refuses ({status} {told}): run this again")
    if status == 403 and "rules" in told:
        return NotAllowedError(f"Kaggle wants the rules of {slug} accepted first: {page}/rules, then run this again")
    if status == 403 and ("phone" in told or "verif" in told):
        return NotAllowedError(f"Kaggle wants your phone number verified first: {SITE}/settings, then run this again")
    if status == 404 or (status == 403 and "ermission" in told):  # so it answers for a name that nobody has
        return UsageError(
            f"Kaggle shows this account no competition {slug}: is its `slug` right, and are you in it? {page}"
        )
    if status == 400 and re.search("allowance|daily|tomorrow", told):
        return TryLaterError(f"Kaggle takes no more submissions of {slug} today ({told})")
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
