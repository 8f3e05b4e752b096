"""Folders for what a command needs while it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.private_folders import make_private_folder

PREFIX = ".hakken-work-"


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder that nobody else can read, in ``parent`` or where the system has them.

    What commands that were killed left of such folders there is cleared away.
    """
    folder, lock = make_private_folder(PREFIX, parent)
    try:
        files = folder / "files"  # without the lock
        files.mkdir()
        yield files
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
