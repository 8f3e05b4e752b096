"""Where the files are that come with Hakken and are no code."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def find_shipped(name: str) -> Path:
    """Return the place of a file or folder: beside the code, or in the package once installed.

    ``setup.py`` says what is brought into the package.
    """
    installed = _PACKAGE / name
    return installed if installed.exists() else _PACKAGE.parent / name
