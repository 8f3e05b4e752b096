"""Temporary folders that only we can read, cleared away when their makers have died."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_LOCK_FILE = ".lock"


def make_private_folder(prefix: str, parent: Path | None = None) -> tuple[Path, int]:
    """Make a folder, and remove those of the same prefix whose makers are gone.

    It is known by a lock, which is held for as long as the descriptor that is returned is open in
    this process or in one that it forked. Raises OSError: it cannot be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_abandoned(prefix, parent)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        return folder, _lock_folder(folder, os.O_CREAT)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _remove_abandoned(prefix: str, parent: Path) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            os.close(_lock_folder(folder, 0))
            shutil.rmtree(folder, ignore_errors=True)


def _lock_folder(folder: Path, flags: int) -> int:
    """Lock a folder by a file in it. Raises OSError: somebody has the lock, or there is none."""
    descriptor = os.open(
        folder / _LOCK_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
