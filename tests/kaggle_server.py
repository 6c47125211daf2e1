"""A server on the loopback that speaks Kaggle's API as its official client asks, and refuses as Kaggle does.

The client talks to it where KAGGLE_API_ENVIRONMENT=TEST: to port 7777, which one test at a time can have.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from filelock import FileLock

PORT = 7777
DAILY = 10  # submissions
USER, KEY, TOKEN = "ada", secrets.token_hex(16), f"KGAT_{secrets.token_hex(16)}"  # which stand in no file
SERVICE = "/api/v1/competitions.CompetitionApiService/"
RULES = "You must accept this competition's rules before you'll be able to download files."
DENIED = "Permission 'competitions.participate' was denied"
SPENT = (
    "Submission not allowed: Your team has used its daily Submission allowance (10) today, please try again tomorrow"
)
STAMP = "Wed, 26 Mar 2025 00:00:00 GMT"


@dataclass
class Submission:
    """One that was made; it is listed after some looks, and has its status after some more."""

    ref: int
    competition: str
    file: str
    content: bytes
    message: str
    date: str
    hidden: int = 0  # looks until it is listed
    pending: int = 0  # looks until it has a status
    error: str = ""


@dataclass
class Kaggle:
    """What the server knows; a test changes it as it goes."""

    archives: dict[str, bytes] = field(default_factory=dict)  # by the competition's name
    accepted: set[str] = field(default_factory=set)  # competitions whose rules are
    left: int = DAILY  # submissions today
    hidden: int = 0  # of the submissions to come
    pending: int = 0
    error: str = ""
    score: str = "0.78229"
    made_although_refused: bool = False  # the answer gets lost, and not the request
    limits: dict[str, int | None] | None = None  # as they are told, in the place of the true ones
    cut: int | None = None  # bytes after which the next download breaks off
    odd: dict[str, bytes] = field(default_factory=dict)  # bodies of answers, by the request's name
    requests: list[str] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    uploads: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # name and bytes by token
    refusals: dict[str, list[tuple[int, str, Mapping[str, str]]]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, request: str, status: int, message: str = "", times: int = 1, **headers: str) -> None:
        """Refuses the next requests of a name; the headers' names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.refusals[request] += [(status, message, named)] * times

    def submit(self, slug: str, file: str, content: bytes, message: str) -> Submission:
        """Makes a submission."""
        self.left -= 1
        made = Submission(
            ref=1000 + len(self.submissions),
            competition=slug,
            file=file,
            content=content,
            message=message,
            date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            hidden=self.hidden,
            pending=self.pending,
            error=self.error,
        )
        self.submissions.append(made)
        return made

    def listed(self, found: Submission) -> dict[str, Any]:
        """A submission as it is told."""
        told = {
            "ref": found.ref,
            "fileName": found.file,
            "description": found.message,
            "date": found.date,
            "totalBytes": len(found.content),
            "status": "PENDING",
        }
        if found.pending:
            found.pending -= 1
        elif found.error:
            told |= {"status": "ERROR", "errorDescription": found.error}
        else:
            told |= {"status": "COMPLETE", "publicScore": self.score, "privateScore": ""}
        return told


class _Handler(BaseHTTPRequestHandler):
    kaggle: Kaggle
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self._body() or b"{}")
        name = self.path.rpartition("/")[2]
        with self.kaggle.lock:
            self.kaggle.requests.append(name)
            refused = self.kaggle.refusals[name]
            if refused:
                status, message, headers = refused.pop(0)
                if name == "CreateSubmission" and self.kaggle.made_although_refused:
                    self._make(asked["competitionName"], asked)
                return self._json({"code": status, "message": message}, status, headers)
            if name in self.kaggle.odd:
                return self._send(self.kaggle.odd[name])
            if name == "IntrospectToken":
                known = asked.get("token") == TOKEN
                return self._json({"active": known, "username": USER if known else ""})
            if not self._is_known():
                return self._json({"code": 401, "message": "Unauthorized"}, 401)
            slug = asked.get("competitionName", "")
            if slug not in self.kaggle.archives:
                return self._json({"code": 403, "message": DENIED}, 403)
            if slug not in self.kaggle.accepted:
                return self._json({"code": 403, "message": RULES}, 403)
            return ANSWERS[name](self, slug, asked)

    def do_GET(self) -> None:
        with self.kaggle.lock:
            self.kaggle.requests.append("blob")
            if refused := self.kaggle.refusals["blob"]:
                status, message, headers = refused.pop(0)
                self._json({"message": message}, status, headers)
                return
            content = self.kaggle.archives[self.path.partition("?")[0].rpartition("/")[2].removesuffix(".zip")]
            cut, self.kaggle.cut = self.kaggle.cut, None
        tag = hashlib.sha256(content).hexdigest()
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range", tag) == tag:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for header, value in (("Accept-Ranges", "bytes"), ("ETag", tag), ("Last-Modified", STAMP)):
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:] if cut is None else content[start : start + cut])
        if cut is not None:
            self.close_connection = True
            self.connection.close()

    def do_PUT(self) -> None:
        content = self._body()
        token = self.path.rpartition("/")[2]
        with self.kaggle.lock:
            self.kaggle.requests.append("upload")
            if refused := self.kaggle.refusals["upload"]:
                status, message, headers = refused.pop(0)
                return self._json({"code": status, "message": message}, status, headers)
            self.kaggle.uploads[token] = (self.kaggle.uploads[token][0], content)
        return self._json({})

    def download_data_files(self, slug: str, asked: Mapping[str, Any]) -> None:
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{PORT}/blob/{slug}.zip?signed=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def start_submission_upload(self, slug: str, asked: Mapping[str, Any]) -> None:
        token = f"blob{len(self.kaggle.uploads)}"
        self.kaggle.uploads[token] = (asked["fileName"], b"")
        self._json({"token": token, "createUrl": f"http://localhost:{PORT}/upload/{token}"})

    def create_submission(self, slug: str, asked: Mapping[str, Any]) -> None:
        if not self.kaggle.left:
            return self._json({"code": 400, "message": SPENT}, 400)
        return self._json({"message": "Successfully submitted", "ref": self._make(slug, asked).ref})

    def _make(self, slug: str, asked: Mapping[str, Any]) -> Submission:
        file, content = self.kaggle.uploads[asked["blobFileTokens"]]
        return self.kaggle.submit(slug, file, content, asked.get("submissionDescription", ""))

    def list_submissions(self, slug: str, asked: Mapping[str, Any]) -> None:
        found = []
        for each in self.kaggle.submissions:
            if each.hidden:
                each.hidden -= 1
            elif each.competition == slug:
                found.append(self.kaggle.listed(each))
        size, page = asked.get("pageSize", 20), asked.get("page", 1)
        self._json({"submissions": found[::-1][(page - 1) * size : page * size]})

    def get_submission_limits(self, slug: str, asked: Mapping[str, Any]) -> None:
        limits = {"numToday": max(DAILY - self.kaggle.left, 0), "numAllowedNow": self.kaggle.left}
        self._json(limits if self.kaggle.limits is None else self.kaggle.limits)

    def _is_known(self) -> bool:
        basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        return self.headers.get("Authorization") in (f"Basic {basic}", f"Bearer {TOKEN}")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, told: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self._send(json.dumps(told).encode(), status, headers)

    def _send(self, content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


ANSWERS = {
    "DownloadDataFiles": _Handler.download_data_files,
    "StartSubmissionUpload": _Handler.start_submission_upload,
    "CreateSubmission": _Handler.create_submission,
    "ListSubmissions": _Handler.list_submissions,
    "GetSubmissionLimits": _Handler.get_submission_limits,
}


def port_alone() -> FileLock:
    """Held by whoever needs the port, with a server or with none; others wait."""
    return FileLock(Path(tempfile.gettempdir()) / "podium-kaggle.lock")


@contextmanager
def kaggle_server() -> Iterator[Kaggle]:
    """A server of its own; whoever else wants the port waits."""
    kaggle = Kaggle()
    with port_alone():
        handler = type("Handler", (_Handler,), {"kaggle": kaggle})
        server = ThreadingHTTPServer(("127.0.0.1", PORT), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield kaggle
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
