"""A store of published models in a repository of the Hugging Face Hub, by commits."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.model_store.hub import FIRST_WAIT, HubFolder
from app.model_store.layout import POINTER_FILE, StorageUnreachableError
from app.model_store.remote import MissingObjectError, ResultT, run_with_deadline
from model_build.artifact.file_store import ConflictError, RemoteFileStore, StoredFile

log = logging.getLogger(__name__)

CALL_SECONDS = 120.0
"""How long an answer of the Hub may take, beside what is sent with it."""
SLOWEST_UPLOAD = 50_000
"""Bytes a second."""
COMMIT_TRIES = 10
LONGEST_WAIT = 8.0
OVERTAKEN_STATUSES = (409, 412)

PAGE_FILE = "README.md"
FRONT_MATTER = """\
---
library_name: hakken
tags:
- anime
- collaborative-filtering
- recommender-system
---
"""
CARD_START = re.compile(
    r"\s*# Model [A-Za-z0-9][A-Za-z0-9._-]*\s+Trained on .* \(ratings with sha256 `"
)
"""How every model card that model_build writes begins."""

Additions = list[tuple[Any, str, str | None, set[str]]]
"""What is to be added, its name, what it replaces and what it will be: `_generations`."""


@dataclass(slots=True)
class HubStore(RemoteFileStore):
    """The files of a repository below a prefix; what a file's content is called is its generation.

    Every change is a commit on top of the one that was looked at, and the Hub counts commits: so
    what can be written or deleted at once is.
    """

    folder: HubFolder
    last_commit: str | None = field(default=None, init=False)
    """Our own: the Hub may tell of it only later."""

    def list(self) -> dict[str, StoredFile]:
        """List all files below the prefix."""
        start = self.folder.object_name("")
        try:
            found = self._ask(
                lambda: [
                    StoredFile(
                        name=entry.path.removeprefix(start),
                        size=entry.size,
                        generation=_generation(entry),
                        updated=entry.last_commit.date.timestamp(),
                    )
                    for entry in self.folder.api.list_repo_tree(
                        self.folder.repository,
                        self.folder.prefix or None,
                        recursive=True,
                        expand=True,
                        revision=self.folder.revision,
                    )
                    if hasattr(entry, "blob_id")  # and is no folder
                ]
            )
        except MissingObjectError:
            return {}
        return {stored.name: stored for stored in found}

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether size and digest are those of the content."""
        return stored.size == len(content) and stored.generation in _generations(content)

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Commit a file, as `put_all` does."""
        self.put_all([(name, content, expected_generation)])

    def put_all(self, files: Iterable[tuple[str, bytes, str | None]]) -> None:
        """Upload one file after the other and commit them together, if none has been changed.

        With the pointer at the root of a repository goes the page that the Hub shows of it.
        """
        from huggingface_hub import CommitOperationAdd

        additions: Additions = []
        live, sent = None, 0
        for name, content, expected in files:
            addition = CommitOperationAdd(self.folder.object_name(name), content)
            upload = partial(
                self.folder.api.preupload_lfs_files,
                self.folder.repository,
                [addition],
                revision=self.folder.revision,
            )
            self._ask(upload, name, len(content))
            additions.append((addition, name, expected, _generations(content)))
            sent += len(content)
            if name == POINTER_FILE and not self.folder.prefix:
                live = content.decode().strip()

        def left_to_write(there: Mapping[str, str]) -> Sequence[Any]:
            left = []
            for addition, name, expected, content_is in additions:
                found = there.get(name)
                if found in content_is:
                    continue  # perhaps by this process, whose answer got lost
                if found != expected:
                    raise ConflictError(name)
                left.append(addition)
            page = self._page_of(live) if live else None
            if page is not None:
                left.append(CommitOperationAdd(PAGE_FILE, page.encode()))
            return left

        names = [name for _, name, _, _ in additions]
        try:
            self._commit("Write", names, left_to_write, sent)
        except _PageRefusedError as refusal:
            log.warning(
                "%s stays as it is, for the Hub refuses its front matter (%s); correct it there.",
                self.folder.object_url(PAGE_FILE),
                refusal,
            )
            live = None
            self._commit("Write", names, left_to_write, sent)

    def delete(self, name: str) -> None:
        """Commit a deletion, as `delete_all` does."""
        self.delete_all([name])

    def delete_all(self, names: Iterable[str]) -> None:
        """Delete files in one commit; they stay in the history of the repository."""
        from huggingface_hub import CommitOperationDelete

        names = [*names]

        def left_to_delete(there: Mapping[str, str]) -> Sequence[Any]:
            return [
                CommitOperationDelete(self.folder.object_name(name), is_folder=False)
                for name in names
                if name in there
            ]

        self._commit("Delete", names, left_to_delete)

    def _commit(
        self,
        verb: str,
        names: Sequence[str],
        choose: Callable[[Mapping[str, str]], Sequence[Any]],
        sent: int = 0,
    ) -> None:
        """Commit what ``choose`` makes of the generations of these files, if it makes anything.

        Where somebody else's commit comes between, both are done again after a pause: the Hub may
        tell late of it, too.
        """
        if not names:
            return
        api, repository, revision = self.folder.api, self.folder.repository, self.folder.revision
        paths = {self.folder.object_name(name): name for name in names}
        for attempt in range(COMMIT_TRIES):
            if attempt:
                time.sleep(min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT))
            head = self.last_commit or self._ask(
                lambda: api.repo_info(repository, revision=revision).sha, names[0]
            )
            look = partial(api.get_paths_info, repository, [*paths], revision=head)
            found = self._ask(look, names[0])
            operations = choose({paths[entry.path]: _generation(entry) for entry in found})
            if not operations:
                return
            commit = partial(
                api.create_commit,
                repository,
                operations,
                commit_message=f"{verb} {_in_words(names)}",
                revision=revision,
                parent_commit=head,
            )
            self.last_commit = self._ask(partial(_unless_overtaken, commit), names[0], sent)
            if self.last_commit:
                return
        raise StorageUnreachableError(
            f"{self.url}: others have committed there without a pause; try again later."
        )

    def _ask(self, call: Callable[[], ResultT], name: str = "", sent: int = 0) -> ResultT:
        with self.folder.translate_errors(name):
            return run_with_deadline(call, CALL_SECONDS + sent / SLOWEST_UPLOAD)

    def _page_of(self, version: str) -> str | None:
        """What the page should say when this version is live; None where it is to stay."""
        from model_build.artifact.metrics import MODEL_CARD_FILE

        try:
            card = self.read(f"{version}/{MODEL_CARD_FILE}").decode(errors="replace")
        except MissingObjectError:
            return None
        try:
            before = self.read(PAGE_FILE).decode(errors="replace")
        except MissingObjectError:
            before = ""
        page = render_page(card, before)
        return None if page == before else page


def render_page(card: str, before: str) -> str:
    """Return a repository's README.md with the model card of the live version.

    The front matter that is there stays. So does the whole page where somebody wrote it: it then
    begins in another way than our model cards do.
    """
    found = re.match(r"---\r?\n.*?^---[ \t]*\r?(?:\n|\Z)", before, re.DOTALL | re.MULTILINE)
    front = found[0].rstrip() + "\n" if found else FRONT_MATTER
    body = before[found.end() :] if found else before
    if body.strip() and not CARD_START.match(body):
        return before
    return f"{front}\n{card}"


def _generation(entry: Any) -> str:
    """The SHA-256 of a large file, the name of the blob in git of another one."""
    return str(entry.lfs.sha256 if entry.lfs else entry.blob_id)


def _generations(content: bytes) -> set[str]:
    """What either of them would be."""
    blob = b"blob %d\0%b" % (len(content), content)
    return {
        hashlib.sha256(content).hexdigest(),
        hashlib.sha1(blob, usedforsecurity=False).hexdigest(),
    }


class _PageRefusedError(Exception):
    """What the Hub says of the front matter of a page."""


def _unless_overtaken(commit: Callable[[], Any]) -> str | None:
    """Commit, and return its name; None where the commit below it no longer was the last one."""
    from huggingface_hub.errors import BadRequestError, HfHubHTTPError

    try:
        return str(commit().oid)
    except HfHubHTTPError as error:
        if error.response.status_code not in OVERTAKEN_STATUSES:
            raise
        return None
    except ValueError as error:
        if not isinstance(error.__cause__, BadRequestError):
            raise
        faults = str(error).partition("\n")[2].replace("\n- ", "; ").removeprefix("- ")
        raise _PageRefusedError(" ".join(faults.split()).rstrip(".")) from error


def _in_words(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{len(names)} files of {names[0].partition('/')[0]}"
