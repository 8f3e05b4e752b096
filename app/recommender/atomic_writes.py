"""Files and directories replaced whole: at every instant the old one or the new one is there."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100  # AT_FDCWD: names are relative to the working directory, as for rename
_RENAME_EXCHANGE: Final = 2  # RENAME_EXCHANGE


@contextmanager
def replace_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory that takes the place of ``path`` when the block ends well.

    The block syncs the files that it writes; the directories are synced here. It is filled in a
    hidden folder beside ``path``. What killed processes left of such folders is cleared away when
    no other process is writing beside ``path``.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.partial-"
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Writers share a lock, so whoever then gets it alone knows that no writer is left. Some
        # network file systems have no locks: there nothing is cleared away.
        with suppress(OSError):
            fcntl.flock(parent, fcntl.LOCK_SH)
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
        try:
            new = work / path.name
            new.mkdir()
            yield new
            fsync_path(new)
            _swap_directory(new, path)
            os.fsync(parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)  # with the old one, if it was replaced
        with suppress(OSError):
            fcntl.flock(parent, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in path.parent.iterdir():
                if left.name.startswith(prefix):
                    shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(parent)


def write_atomically(
    path: Path, write: Callable[[Path], object], *, partial: Path | None = None
) -> None:
    """Let ``write`` fill a new file, which is on disk before it takes the name ``path``.

    It gets a name of its own beside ``path``, or the name ``partial``: for callers that hold a
    lock, and so may overwrite what a killed process left there. Raises what ``write`` does, and
    OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if partial is None:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        partial = Path(name)
        partial.chmod(0o644)
    try:
        write(partial)
        fsync_path(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 file as `write_atomically` does."""
    write_atomically(path, lambda partial: partial.write_text(text, "utf-8"))


def fsync_path(path: Path) -> None:
    """Have the disk hold what the file or the directory holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap_directory(new: Path, path: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    if exchange_paths(new, path):
        return
    # A directory cannot be renamed over a full one: move the old one aside first.
    old = new.with_name(f"{path.name}.old")
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise


def exchange_paths(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where the platform cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:  # not Linux, or a C library from before 2018
        return False
    return bool(
        rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
    )
