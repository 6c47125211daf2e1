"""The official Kaggle client, imported late, with what it lacks: limits of time, and a look at the disk first."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from data.errors import StorageError, UnavailableError

TIMEOUT = 60  # seconds without a byte
TOKEN, USER, KEY = "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"  # variables of the environment
FILES = ("access_token", "access_token.txt", "kaggle.json", "credentials.json")  # in a folder of the client's
MEGABYTE = 1e6

Tell = Callable[[str], None]


def has_credentials() -> bool:
    """Whether the client would find some; nothing is read but whether they are there."""
    folders = [Path(os.environ["KAGGLE_CONFIG_DIR"])] if os.environ.get("KAGGLE_CONFIG_DIR") else []
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    with suppress(RuntimeError):  # there is no home
        folders += [Path("~/.kaggle").expanduser(), Path(config).expanduser() / "kaggle"]
    named = os.environ.get(TOKEN) or (os.environ.get(USER) and os.environ.get(KEY))
    return bool(named) or any((folder / name).is_file() for folder in folders for name in FILES)


def client() -> Any:
    """The official client, which is asked for nothing yet.

    Raises:
        UnavailableError: it is not installed.
    """
    for name in (TOKEN, USER, KEY):
        if name in os.environ:
            os.environ[name] = os.environ[name].strip()  # line ends, of the file that it was set by
    try:
        with quiet(), _nobody():
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

        def download_needed(self, response: Any, outfile: str, quiet: bool = True) -> bool:
            """Is asked before a download, whose own tries take a full disk for a weak network."""
            if not outfile.endswith(".zip"):  # it takes its name from the address that has answered
                raise UnavailableError("Kaggle sent something else than an archive: try again later")
            needed = bool(super().download_needed(response, outfile, quiet))
            if needed:
                _make_sure_of_room(response, Path(outfile))
            return needed

    return Api()


def _make_sure_of_room(response: Any, file: Path) -> None:
    there = file.stat().st_size if file.is_file() else 0
    missing = int(response.headers.get("Content-Length") or 0) - there
    free = shutil.disk_usage(file.parent).free
    if missing > free:
        wants = f"{missing / MEGABYTE:,.1f} MB are to come, and there is room for {free / MEGABYTE:,.1f}"
        raise StorageError(f"{file}: the disk is full: {wants}")


def _limit(session: Any) -> None:
    """Gives every request of a session a limit of time."""
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):
        def send(self, request: Any, **how: Any) -> Any:  # type: ignore[override]
            return super().send(request, **{**how, "timeout": how.get("timeout") or TIMEOUT})

    for scheme in ("http://", "https://"):
        session.mount(scheme, Limited())


@contextmanager
def _nobody() -> Iterator[None]:
    """Nobody's account in the environment: while it is imported the client asks kaggle.com about a token it finds."""
    hidden = {TOKEN: os.devnull, USER: "nobody", KEY: "none"}  # a path is taken for a file with the token
    before = {name: os.environ.get(name) for name in hidden}
    os.environ.update(hidden)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def quiet(tell: Tell | None = None) -> Iterator[None]:
    """Keeps what the client prints off stdout, whose last line is ours; its tries are told."""
    with redirect_stdout(io.StringIO() if tell is None else _Tries(tell)):
        yield


class _Tries(io.StringIO):
    """Tells those lines that say that the client tries again."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    def write(self, text: str) -> int:
        if text.startswith("Retrying in"):
            self._tell(f"the connection to Kaggle broke: {text[0].lower()}{text[1:].strip()}")
        return len(text)
