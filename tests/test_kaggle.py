"""Kaggle, spoken to by its own client: what it gives and how it refuses, each in a line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
import zipfile
from types import SimpleNamespace

import pytest

from data import kaggle
from data.errors import BadDataError, NotAllowedError, StorageError, TryLaterError, UnavailableError, UsageError
from data.fetching import OLDER, UNFINISHED, fetch
from data.sources import Source, locate
from pipelines.home import REPOSITORY
from tests.kaggle_server import KEY, TOKEN, USER, Kaggle, kaggle_server, port_alone
from tests.toy import SCHEMA, zip_bytes

pytest.importorskip("kaggle", reason="make extras EXTRAS=kaggle")
SLUG = "toy-slug"
pytestmark = pytest.mark.kaggle


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def server(monkeypatch, toy):
    """Kaggle with one competition, whose rules are accepted, and an account by its name and key."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setattr(kaggle, "WAIT", 0.1)
    with kaggle_server() as found:
        found.archives[SLUG] = zip_bytes(toy.files)
        found.accepted.add(SLUG)
        yield found


@pytest.fixture
def get(server, tmp_path, told):
    return lambda: fetch(SLUG, SCHEMA, tmp_path / "raw", told.append)


def test_the_archive_comes_whole_and_is_found_again_without_kaggle(server: Kaggle, tmp_path, told, toy):
    raw, misses = locate("toy", SLUG, SCHEMA, tmp_path, [], told.append)
    assert raw is not None
    assert raw.source is Source.KAGGLE
    assert dict(raw.files) == toy.files
    assert len(misses) == 2
    assert (tmp_path / "toy" / f"{SLUG}.zip").read_bytes() == server.archives[SLUG]
    asked = len(server.requests)
    again, _ = locate("toy", SLUG, SCHEMA, tmp_path, [], told.append)
    assert again is not None
    assert again.source is Source.RAW
    assert again.sha256 == raw.sha256
    assert len(server.requests) == asked
    assert [path.name for path in (tmp_path / "toy").iterdir()] == [f"{SLUG}.zip"]


def test_a_token_is_an_account_too(server, get, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert get().is_file()


def test_a_newer_archive_takes_the_place_of_the_old_one(server: Kaggle, get, toy):
    assert get().read_bytes() == server.archives[SLUG]
    server.archives[SLUG] = zip_bytes({**toy.files, "more.csv": b"a\n1\n"})
    assert get().read_bytes() == server.archives[SLUG]


def test_a_cut_connection_goes_on_where_it_was_and_says_so(server: Kaggle, get, monkeypatch, told):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    server.cut = len(server.archives[SLUG]) // 2
    assert get().read_bytes() == server.archives[SLUG]
    assert "the connection to Kaggle broke: retrying in" in told[-1]
    assert server.requests.count("blob") == 2


def test_a_damaged_archive_is_fetched_once_more_and_then_told(server: Kaggle, get, tmp_path, told):
    whole = server.archives[SLUG]
    before = get()
    at = whole.index(b"train.csv") + 40
    server.archives[SLUG] = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    with pytest.raises(BadDataError, match=r"toy-slug\.zip"):
        get()
    assert server.requests.count("blob") == 3
    assert any("once more" in line for line in told)
    assert before.read_bytes() == whole
    assert not (tmp_path / "raw" / UNFINISHED).exists()


def test_rows_that_are_not_as_declared_are_told(server: Kaggle, get, toy):
    server.archives[SLUG] = zip_bytes({**toy.files, "train.csv": b"\n".join(toy.files["train.csv"].splitlines()[:-1])})
    with pytest.raises(BadDataError, match=r"toy-slug.zip/train.csv: holds 59 rows, 60 are declared"):
        get()
    assert server.requests.count("blob") == 1  # it is whole, and is not fetched twice


def renamed(files: dict[str, bytes], old: str, new: str) -> dict[str, bytes]:
    return {new if name == old else name: content for name, content in files.items()}


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (lambda files: renamed(files, "train.csv", "TRAIN.CSV"), "train.csv is missing; declare what Kaggle serves"),
        (lambda files: renamed(files, "sample_submission.csv", "a.csv"), "the sample file .* is missing"),
        (lambda files: files | {"test.csv": b"id,other\n1,2\n"}, "toy-slug.zip/test.csv, row 1, column height: the"),
    ],
)
def test_an_archive_that_does_not_fit_takes_no_place(server: Kaggle, get, toy, tmp_path, served, words):
    before = get().read_bytes()
    server.archives[SLUG] = zip_bytes(served(toy.files))
    with pytest.raises(BadDataError, match=words):
        get()
    assert (tmp_path / "raw" / f"{SLUG}.zip").read_bytes() == before
    assert (tmp_path / "raw" / UNFINISHED / f"{SLUG}.zip").read_bytes() == server.archives[SLUG]  # to be looked at


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_of_any_kind_of_zip_is_told(server: Kaggle, get, toy, method):
    whole = zip_bytes(toy.files, method)
    at = whole.index(b"train.csv") + 60
    server.archives[SLUG] = whole[:at] + bytes(20) + whole[at + 20 :]
    with pytest.raises(BadDataError, match=r"toy-slug\.zip.*download it again"):
        get()


def test_what_lay_there_unpacked_is_set_aside(server: Kaggle, get, tmp_path, told):
    mine = tmp_path / "raw" / "train.csv"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    get()
    assert not mine.exists()
    assert (mine.parent / OLDER / "train.csv").read_bytes() == b"mine"
    assert "the archive takes its place" in told[-1]


@pytest.mark.parametrize(
    "body", [b"null", b"<html>", b'{"submissions": null}', b'{"submissions": [{"status": "QUUX"}]}']
)
def test_an_answer_that_makes_no_sense_is_told(server: Kaggle, get, told, body):
    server.odd = {"DownloadDataFiles": body, "ListSubmissions": body}
    with pytest.raises(UnavailableError, match=r"Kaggle (sent something else|answers what)"):
        get()
    with pytest.raises(UnavailableError, match="what its client does not understand"):
        kaggle.Account(told.append).submissions(SLUG)


def test_limits_that_are_not_told_are_unknown(server: Kaggle, told):
    server.limits = {}
    assert kaggle.Account(told.append).budget(SLUG) == kaggle.Budget(left=None, today=0)


def test_a_link_to_the_storage_that_has_ended_is_told(server: Kaggle, get):
    server.refuse("blob", 403, "expired")
    with pytest.raises(UnavailableError, match=r"Kaggle's storage refuses \(403 expired\): run this again"):
        get()
    assert get().is_file()


def test_rules_are_asked_for_and_then_it_works(server: Kaggle, get):
    server.accepted.clear()
    with pytest.raises(NotAllowedError) as refused:
        get()
    assert str(refused.value) == (
        "Kaggle wants the rules of toy-slug accepted first: https://www.kaggle.com/competitions/toy-slug/rules, "
        "then run this again"
    )
    assert refused.value.exit_code == 77
    server.accepted.add(SLUG)
    assert get().is_file()


@pytest.mark.parametrize(
    ("status", "message", "error", "words"),
    [
        (401, "Unauthorized", NotAllowedError, "does not know these credentials: make a token at https://www.kaggle"),
        (403, "Your account must be phone verified", NotAllowedError, "phone number verified first: https://www"),
        (403, "Permission 'competitions.get' was denied", UsageError, "no competition toy-slug: is its `slug` right"),
        (403, "Forbidden", NotAllowedError, r"Kaggle refuses \(403 Forbidden\)"),
        (404, "Not found", UsageError, "no competition toy-slug"),
        (500, "oops", UnavailableError, r"Kaggle fails \(500 oops\): try again later"),
        (503, "", UnavailableError, "Kaggle fails"),
    ],
)
def test_each_refusal_has_its_line(server: Kaggle, get, status, message, error, words):
    server.refuse("DownloadDataFiles", status, message)
    with pytest.raises(error, match=words) as refused:
        get()
    assert "\n" not in str(refused.value)


def test_a_name_that_nobody_has_is_told(server: Kaggle, tmp_path, told):
    with pytest.raises(UsageError, match="no competition nosuch"):
        fetch("nosuch", SCHEMA, tmp_path, told.append)


@pytest.mark.parametrize(("header", "line"), [({"Retry_After": "1"}, "in 1 s"), ({}, "in 0 s")])
def test_too_many_requests_are_waited_for_and_told(server: Kaggle, get, told, header, line):
    server.refuse("DownloadDataFiles", 429, "Too many requests", times=2, **header)
    assert get().is_file()
    assert [each for each in told if each.startswith("Kaggle takes no more requests")] == [
        f"Kaggle takes no more requests for now: going on {line}"
    ] * 2


def test_who_has_to_wait_too_long_is_told_to_come_later(server: Kaggle, get):
    server.refuse("DownloadDataFiles", 429, "Too many requests", Retry_After="4000")
    with pytest.raises(TryLaterError, match="no more requests from this account for now") as refused:
        get()
    assert refused.value.exit_code == 75


def test_a_token_that_kaggle_does_not_know_is_told_and_not_shown(server, get, monkeypatch, told):
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    with pytest.raises(NotAllowedError, match="does not know these credentials") as refused:
        get()
    assert "KGAT_wrong" not in str(refused.value) + "".join(told)


@pytest.mark.parametrize("behind", ["\r", "\n", " "])
def test_what_stands_behind_a_token_is_no_part_of_it(server, get, monkeypatch, behind):
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN + behind)
    assert get().is_file()


@pytest.mark.parametrize(
    ("name", "value"), [("KAGGLE_API_TOKEN", "KGAT_cafe\r\nbabe"), ("KAGGLE_API_TOKEN", "KGAT_€"), ("KAGGLE_KEY", "€5")]
)
def test_credentials_that_cannot_be_sent_are_told_and_not_shown(server, get, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(NotAllowedError) as refused:
        get()
    told = "".join(traceback.format_exception(refused.value))
    assert "make a token at" in str(refused.value)
    assert not any(part in told for part in ("cafe", "babe", "€"))


def test_a_file_of_credentials_that_holds_something_else_is_told(server, get, monkeypatch, tmp_path):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    file = tmp_path / "kaggle.json"
    file.write_text('["a"]')
    api = sys.modules["kaggle.api.kaggle_api_extended"].KaggleApi
    monkeypatch.setattr(api, "config", str(file))  # which it has looked up when it was imported
    with pytest.raises(NotAllowedError, match="credentials here cannot be read"):
        get()


def test_what_kaggle_says_is_told_without_the_key(server: Kaggle, get):
    server.refuse("DownloadDataFiles", 403, f"bad key {KEY} of {USER}")
    with pytest.raises(NotAllowedError) as refused:
        get()
    assert "bad key *** of ada" in str(refused.value)


def test_without_a_network_that_is_told(tmp_path, told, monkeypatch):
    for name, value in (("KAGGLE_API_ENVIRONMENT", "TEST"), ("KAGGLE_USERNAME", USER), ("KAGGLE_KEY", KEY)):
        monkeypatch.setenv(name, value)
    refused = r"Kaggle cannot be reached \(Connection refused\): is the network up"
    with port_alone(), pytest.raises(UnavailableError, match=refused):
        fetch(SLUG, SCHEMA, tmp_path, told.append)


def test_without_an_account_the_mend_is_told(tmp_path, told):
    with pytest.raises(NotAllowedError, match="no Kaggle account is known here: make a token at"):
        fetch(SLUG, SCHEMA, tmp_path, told.append)


def test_a_disk_that_will_be_full_is_told_before_anything_comes(server: Kaggle, get, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(StorageError, match=r"the disk is full: 0.0 MB are to come, and there is room for 0.0"):
        get()


def test_a_disk_that_fills_up_is_told(server, get, monkeypatch, told):
    client = sys.modules["kaggle.api.kaggle_api_extended"]  # which tries again and again
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)
    monkeypatch.setattr("builtins.open", full := _Full(open))
    with pytest.raises(StorageError, match="the disk is full"):
        get()
    assert full.refused


def test_importing_the_client_asks_nobody(tmp_path):
    folder = tmp_path / ".kaggle"
    folder.mkdir()
    (folder / "access_token").write_text("KGAT_of_the_user")
    program = """
import socket
def refuse(*where, **how):
    raise SystemExit(f"{where} is asked")
socket.getaddrinfo = socket.create_connection = refuse
import os
from data.kaggle_client import client
client()
assert "KAGGLE_API_TOKEN" not in os.environ
"""
    environment = {**os.environ, "HOME": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr


class _Full:
    """Opens files of the download as a full disk does."""

    def __init__(self, usual) -> None:
        self.usual, self.refused = usual, False

    def __call__(self, file, mode="r", *rest, **named):
        if str(file).endswith(".zip") and "w" in mode:
            self.refused = True
            raise OSError(28, "No space left on device", str(file))
        return self.usual(file, mode, *rest, **named)
