"""What an index is made of, kept beside compiled modules: making it takes a tenth of a start.

Whoever may write there may change the code itself, so nobody else can plant anything. Where nothing
can be written, as Python's own, nothing is kept.
"""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.atomic_writes import write_atomically

FOLDER = Path(__file__).with_name("__pycache__")
MIN_NAMES = 5_000
"""Of fewer, an index is made as quickly as it is read."""
MAX_KEPT = 3
"""Indexes that are kept: of the model in use, and of those that it took the place of."""

Tables = Mapping[str, npt.NDArray[Any]]


def keep_tables(
    names: Iterable[str | None],
    make: Callable[[], Tables],
    expected: Collection[str],
    folder: Path | None = None,
) -> Tables:
    """Return what was made of these names before, or what ``make`` makes of them now.

    ``expected`` are the names of the tables; ``folder`` is where they are kept, `FOLDER` by
    default.
    """
    written = [name or "" for name in names]
    if len(written) < MIN_NAMES:
        return make()
    folder = folder or FOLDER
    file = folder / f"titles-{_digest(written)}.npz"
    found = _read(file)
    if found.keys() == {*expected}:
        return found
    tables = make()
    if not sys.dont_write_bytecode:
        with suppress(OSError):
            write_atomically(file, lambda new: _write(new, tables))
            _remove_oldest(folder)
    return tables


def _read(file: Path) -> Tables:
    """Read what is kept; nothing where there is none, or none that can be read."""
    # A damaged file fails in as many ways as there are places for damage.
    with (
        suppress(Exception),
        file.open("rb") as stream,
        np.load(stream, allow_pickle=False) as kept,
    ):
        return {name: kept[name] for name in kept.files}
    return {}


def _write(file: Path, tables: Tables) -> None:
    with file.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **tables)


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("titles-*.npz"), key=lambda file: file.stat().st_mtime)
    for file in files[:-MAX_KEPT]:
        file.unlink()


def _digest(names: list[str]) -> str:
    """Tell apart what is made of other names, or by other code."""
    lengths = np.fromiter(map(len, names), np.int64, len(names))
    text = "".join((_code_digest(), *names)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(lengths.tobytes() + text).hexdigest()[:24]


@cache
def _code_digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    code = b"".join(source.read_bytes() for source in sources)
    versions = f"{sys.version} {unicodedata.unidata_version} {np.__version__}"
    return hashlib.sha256(versions.encode() + code).hexdigest()
