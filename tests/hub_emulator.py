"""The Hugging Face Hub on a loopback port: of its HTTP interface what the real client calls.

Repositories are in memory. Large and binary files go by LFS and are sent from another host, as the
Hub does it; what writes is a commit, which names the one below it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

WRITER = "hf_writer"
READER = "hf_reader"
PAGE_SIZE = 50
DRIP_SECONDS = 0.02
SECONDS = 120
UNKNOWN_LICENCE = "license: nobody's"
LFS_NAMES = re.compile(r"\.(npy|gz|bin)$")


@dataclass(frozen=True)
class HubFile:
    """A file of a commit."""

    content: bytes
    lfs: bool
    written: datetime

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def blob(self) -> str:
        pointer = f"oid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        stored = pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0%b" % (len(stored), stored)).hexdigest()

    def told(self, path: str, *, expand: bool) -> dict[str, Any]:
        """What the tree says of it."""
        found: dict[str, Any] = {"type": "file", "path": path, "oid": self.blob}
        found["size"] = len(self.content)
        if self.lfs:
            found["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}
        if expand:
            date = self.written.isoformat().replace("+00:00", "Z")
            found["lastCommit"] = {"id": "0" * 40, "title": "a commit", "date": date}
        return found


@dataclass
class Repository:
    """Branches, each with the files of its last commit."""

    private: bool = False
    branches: dict[str, dict[str, HubFile]] = field(default_factory=lambda: {"main": {}})
    heads: dict[str, int] = field(default_factory=lambda: {"main": 0})
    messages: list[str] = field(default_factory=list)
    past: dict[str, dict[str, HubFile]] = field(default_factory=dict)
    """The files of the commits that are no longer the last."""
    unseen: Counter[str] = field(default_factory=Counter)
    """How often a branch's last commit is still not told of."""

    def head(self, branch: str) -> str:
        return hashlib.sha1(f"{branch} {self.heads[branch]}".encode()).hexdigest()

    def branch_of(self, revision: str) -> str | None:
        """The branch of this name, or whose last commit this is."""
        return next((each for each in self.branches if revision in (each, self.head(each))), None)

    def commit(self, branch: str, files: dict[str, HubFile], lag: int) -> None:
        self.past[self.head(branch)] = self.branches[branch]
        self.branches[branch] = files
        self.heads[branch] += 1
        self.unseen[branch] = lag

    def told_head(self, branch: str) -> str:
        """The last commit, or the one before it."""
        if not self.unseen[branch]:
            return self.head(branch)
        self.unseen[branch] -= 1
        return hashlib.sha1(f"{branch} {self.heads[branch] - 1}".encode()).hexdigest()


Interfere = Callable[[str, str], int | None]
"""Called before a request is obeyed, with its method and path: a status refuses it."""


class HubEmulator:
    """The server at ``url``, and its repositories."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.strangers: list[str | None] = []
        """Whom the other host, which sends large files, was told of."""
        self.ranges: list[str] = []
        self.interfere: Interfere = lambda _method, _path: None
        self.dripping: str | None = None
        """Of an address with this in it the answer comes byte by byte and never ends."""
        self.dripping_status = 200
        self.retry_after = ""
        """What a refusal asks for."""
        self.knows_ranges = True
        self.cut: int | None = None
        """Of the next file so many bytes arrive."""
        self.damaged: str | None = None
        """Of a file of this name another content is sent than was stored."""
        self.lag = 0
        """So many times after each commit the one before it is told as the last."""
        self.writing = threading.RLock()
        self.closing = threading.Event()
        self._others: set[threading.Thread] = set()
        """Threads from before, which may wait for somebody else for long."""
        server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.other_host = f"http://localhost:{server.server_port}"

    def __enter__(self) -> HubEmulator:
        self._others = set(threading.enumerate())
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        # Whoever gave up left a thread behind, which ends now, and its connection.
        for thread in threading.enumerate():
            if thread.name == "bucket" and thread not in self._others:
                thread.join(SECONDS)
        # Imported once its settings are: app/model_store/hub.py.
        importlib.import_module("huggingface_hub").close_session()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """What makes the client ask here, as somebody who may write."""
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": WRITER, "NO_PROXY": "127.0.0.1,localhost"}

    def create(self, name: str, *, private: bool = False) -> Repository:
        return self.repositories.setdefault(name, Repository(private))

    def files(self, name: str, branch: str = "main") -> dict[str, bytes]:
        found = self.repositories[name].branches[branch]
        return {path: file.content for path, file in found.items()}

    def commit(self, name: str, changes: dict[str, bytes | None], branch: str = "main") -> None:
        """Write and delete files, as anybody's client does."""
        with self.writing:
            repository = self.repositories[name]
            files = dict(repository.branches[branch])
            for path, content in changes.items():
                if content is None:
                    files.pop(path, None)
                else:
                    lfs = LFS_NAMES.search(path) is not None
                    files[path] = HubFile(content, lfs, datetime.now(UTC))
            repository.commit(branch, files, self.lag)

    def make_older(self, name: str, start: str, days: float) -> None:
        """Change when files were written whose paths begin so."""
        files = self.repositories[name].branches["main"]
        for path, file in files.items():
            if path.startswith(start):
                then = datetime.now(UTC) - timedelta(days=days)
                files[path] = HubFile(file.content, file.lfs, then)


class RefusalError(Exception):
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        self.status, self.code, self.message = status, code, message


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # the client keeps connections, which nobody waits for

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has given up does not read its answer: nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    hub: HubEmulator
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer is one packet, which no acknowledgement has to be waited for

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_GET  # noqa: N815

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        # Encoded slashes are those of a branch's name.
        segments = [unquote(each) for each in parts.path.strip("/").split("/")]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # api/models/owner/name/KIND, owner/name/KIND or KIND.
        kinds = segments[4:5] if segments[0] == "api" else segments[2:3] or segments[:1]
        self.hub.requests[kinds[0] if kinds else segments[1]] += 1
        try:
            if self.hub.dripping and self.hub.dripping in unquote(self.path):
                self._drip()
                return
            self._let_interfere(unquote(parts.path))
            with self.hub.writing:
                self._obey(segments, parse_qs(parts.query), body)
        except RefusalError as refusal:
            self._send(
                refusal.status,
                json.dumps({"error": refusal.message}).encode(),
                {
                    "X-Error-Code": refusal.code,
                    "X-Error-Message": refusal.message,
                    "Retry-After": self.hub.retry_after,
                },
            )

    def _let_interfere(self, path: str) -> None:
        status = self.hub.interfere(self.command, path)
        if status:
            raise RefusalError(status)

    def _obey(self, segments: list[str], query: dict[str, list[str]], body: bytes) -> None:
        match [self.command, *segments]:
            case ["POST", "api", "validate-yaml"]:
                wrong = UNKNOWN_LICENCE in json.loads(body)["content"]
                errors = [{"message": '"license" must be a known one.'}] if wrong else []
                told = json.dumps({"warnings": [], "errors": errors}).encode()
                self._send(400 if wrong else 200, told)
            case [_, "api", "models", owner, name, *rest]:
                self._api(self._repository(f"{owner}/{name}"), rest, query, body)
            case ["POST", owner, name, "info", "lfs", "objects", "batch"]:
                self._repository(f"{owner}/{name.removesuffix('.git')}", write=True)
                self._batch(json.loads(body))
            case ["PUT", "upload", oid]:
                if hashlib.sha256(body).hexdigest() != oid:
                    raise RefusalError(400)
                self.hub.objects[oid] = body
                self._send(200, b"")
            case ["POST", "verify"]:
                self._send(200 if json.loads(body)["oid"] in self.hub.objects else 404, b"{}")
            case ["GET", owner, name, "resolve", revision, *path]:
                repository = self._repository(f"{owner}/{name}")
                self._resolve(self._files(repository, revision), "/".join(path))
            case ["GET", "large", oid]:
                self.hub.strangers.append(self.headers.get("Authorization"))
                self._send_part(self.hub.objects[oid])
            case _:
                raise RefusalError(404)

    def _api(
        self, repository: Repository, rest: list[str], query: dict[str, list[str]], body: bytes
    ) -> None:
        match rest:
            case [] | ["revision", _]:
                branch = self._branch(repository, (rest or ["", "main"])[1])
                self._json({"id": "owner/name", "sha": repository.told_head(branch)})
            case ["tree", revision, *path]:
                self._tree(self._files(repository, revision), "/".join(path), query)
            case ["paths-info", revision]:
                files = self._files(repository, revision)
                paths = parse_qs(body.decode())["paths"]
                told = [files[path].told(path, expand=False) for path in paths if path in files]
                self._json(told)
            case ["preupload", revision]:
                self._may_write()
                files = self._files(repository, revision)
                self._json(
                    {"files": [self._mode(each, files) for each in json.loads(body)["files"]]}
                )
            case ["commit", branch]:
                self._may_write()
                self._commit(repository, branch, [json.loads(line) for line in body.splitlines()])
            case _:
                raise RefusalError(404)

    def _may_write(self) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            raise RefusalError(401, "", "Invalid username or password.")
        if token == READER:
            raise RefusalError(403, "", "You don't have the required permissions")

    def _repository(self, name: str, *, write: bool = False) -> Repository:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", WRITER, READER):
            raise RefusalError(401, "", "Invalid credentials in Authorization header")
        found = self.hub.repositories.get(name)
        if found is None or (found.private and not token):
            raise RefusalError(404 if token else 401, "RepoNotFound", "Repository not found")
        if write:
            self._may_write()
        return found

    def _branch(self, repository: Repository, revision: str) -> str:
        branch = repository.branch_of(revision)
        if branch is None:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return branch

    def _files(self, repository: Repository, revision: str) -> dict[str, HubFile]:
        if revision in repository.past:
            return repository.past[revision]
        return repository.branches[self._branch(repository, revision)]

    def _mode(self, asked: dict[str, Any], files: dict[str, HubFile]) -> dict[str, Any]:
        path = asked["path"]
        lfs = LFS_NAMES.search(path) is not None
        there = files.get(path)
        return {
            "path": path,
            "uploadMode": "lfs" if lfs else "regular",
            "shouldIgnore": False,
            "oid": (there.sha256 if there.lfs else there.blob) if there else None,
        }

    def _tree(self, files: dict[str, HubFile], start: str, query: dict[str, list[str]]) -> None:
        inside = {path: file for path, file in files.items() if f"{path}/".startswith(f"{start}/")}
        if not start:
            inside = files
        elif not inside:
            raise RefusalError(404, "EntryNotFound", f"{start} does not exist")
        folders = {path.rpartition("/")[0] for path in inside} - {"", start}
        entries = [{"type": "directory", "path": path, "oid": "0" * 40} for path in folders]
        entries += [file.told(path, expand=True) for path, file in inside.items()]
        at = int(query.get("cursor", ["0"])[0])
        more = {}
        if at + PAGE_SIZE < len(entries):
            address = f"{self.hub.url}{urlsplit(self.path).path}?cursor={at + PAGE_SIZE}"
            more = {"Link": f'<{address}>; rel="next"'}
        self._send(200, json.dumps(entries[at : at + PAGE_SIZE]).encode(), more)

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for each in asked["objects"]:
            found: dict[str, Any] = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.hub.objects:
                found["actions"] = {
                    "upload": {"href": f"{self.hub.other_host}/upload/{each['oid']}"},
                    "verify": {"href": f"{self.hub.url}/verify"},
                }
            objects.append(found)
        self._json({"transfer": "basic", "objects": objects})

    def _commit(self, repository: Repository, branch: str, lines: list[dict[str, Any]]) -> None:
        if branch not in repository.branches:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repository.head(branch)):
            raise RefusalError(
                412, "", "A commit has happened since. Please refresh and try again."
            )
        files = dict(repository.branches[branch])
        for line in lines[1:]:
            path, value = line["value"]["path"], line["value"]
            now = datetime.now(UTC)
            if line["key"] == "file":
                files[path] = HubFile(base64.b64decode(value["content"]), lfs=False, written=now)
            elif line["key"] == "lfsFile":
                files[path] = HubFile(self.hub.objects[value["oid"]], lfs=True, written=now)
            else:
                del files[path]
        repository.commit(branch, files, self.hub.lag)
        repository.messages.append(header["summary"])
        oid = repository.head(branch)
        address = f"https://huggingface.co/owner/name/commit/{oid}"
        self._json({"commitUrl": address, "commitOid": oid})

    def _resolve(self, files: dict[str, HubFile], path: str) -> None:
        file = files.get(path)
        if file is None:
            raise RefusalError(404, "EntryNotFound", "Entry not found")
        content = file.content
        if self.hub.damaged and path.endswith(self.hub.damaged):
            content = content[:-1] + bytes([content[-1] ^ 1])
        if not file.lfs:
            self._send_part(content)
            return
        self.hub.objects[file.sha256] = content
        self._send(302, b"", {"Location": f"{self.hub.other_host}/large/{file.sha256}"})

    def _send_part(self, content: bytes) -> None:
        part = self.headers.get("Range")
        if not part or not self.hub.knows_ranges:
            sent, self.hub.cut = self.hub.cut, None
            self._send(200, content, sent=len(content) if sent is None else sent)
            return
        self.hub.ranges.append(part)
        start = int(part.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            raise RefusalError(416)
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206, content[start:], {"Content-Range": span})

    def _drip(self) -> None:
        self.close_connection = True
        self.send_response(self.hub.dripping_status)
        self.end_headers()
        while not self.hub.closing.wait(DRIP_SECONDS):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode())

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        sent: int = sys.maxsize,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])
        self.close_connection |= sent < len(body)


@contextmanager
def running_hub() -> Iterator[HubEmulator]:
    """Serve, with an empty repository ``owner/name``."""
    with HubEmulator() as hub:
        hub.create("owner/name")
        yield hub
