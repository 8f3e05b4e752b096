"""Find a dump's file in a folder, a zip or by itself, and read it as one stream of bytes.

A Parquet file may stand by itself in place of a CSV file.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from model_build.util.errors import InputError

COMPRESSED_SUFFIXES = (".gz", ".zip")
PARQUET_SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file: by itself, gzipped, or as ``member`` of a zip."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The name of the CSV file, without folders and without what compressed it."""
        return Path(self.member).name if self.member else self.path.name.removesuffix(".gz")

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file by itself."""
        return self.member is None and self.path.suffix.lower() == PARQUET_SUFFIX

    @contextmanager
    def open_stream(self) -> Iterator[LastByteStream]:
        """Read the file from its beginning."""
        before = self._file_state()
        try:
            with self._open_file() as file:
                yield LastByteStream(file)
        except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, KeyError) as error:
            raise InputError(
                f"{self}: the compressed file is broken or cut off ({error}); download it again."
            ) from None
        except (NotImplementedError, RuntimeError) as error:
            raise InputError(f"{self}: cannot be unpacked ({error}).") from None
        if self._file_state() != before:
            raise InputError(f"{self}: changed while it was being read; start again when it rests.")

    @contextmanager
    def _open_file(self) -> Iterator[IO[bytes]]:
        if self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                yield file
        elif self.path.suffix.lower() == ".gz":
            with gzip.open(self.path, "rb") as file:
                yield file  # type: ignore[misc]
        else:
            with self.path.open("rb") as file:
                yield file

    def _file_state(self) -> tuple[int, ...]:
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            raise InputError(f"{self.path}: there is no such file.") from None
        return facts.st_size, facts.st_mtime_ns, facts.st_ino

    def digest(self) -> str:
        """Return the sha256 of the file, packed as it is."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def file_size(self) -> int:
        """Its size in bytes, packed as it is."""
        return self.path.stat().st_size


class LastByteStream(io.RawIOBase):
    """Bytes of a source; remembers the last one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last_byte = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes, or all."""
        data = self._file.read(size)
        self.last_byte = data[-1:] or self.last_byte
        return data


def read_header(source: CsvSource) -> list[str]:
    """Return the column names of a file; InputError if it is empty or starts with no text."""
    if source.is_parquet:
        try:
            return list(pq.read_schema(source.path).names)
        except pa.ArrowInvalid as error:
            raise InputError(f"{source}: cannot be read as Parquet ({error}).") from None
    with source.open_stream() as stream:
        first = stream.read(1 << 16)
    try:
        line = first.splitlines()[0].decode("utf-8-sig")
    except IndexError:
        raise InputError(f"{source}: the file is empty; expected a header and rows.") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{source}: the header is not UTF-8 text; convert the file to UTF-8."
        ) from None
    return [name.strip().strip('"') for name in line.split(",")]


def find_source(path: Path, names: tuple[str, ...]) -> CsvSource | None:
    """Find the first of the named CSV files that is in a folder or a zip.

    A folder may hold it as ``NAME``, ``NAME.gz``, ``NAME.zip`` or within any zip, at any depth.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder.")
    members = _list_sources(path)
    for name in names:
        for source in members:
            if source.name.lower() == name.lower():
                return source
    return None


def single_source(path: Path) -> CsvSource | None:
    """Return a file itself, or the only CSV of a zip; None if there are several."""
    endings = (".csv", PARQUET_SUFFIX)
    sources = [source for source in _list_sources(path) if source.name.lower().endswith(endings)]
    return sources[0] if len(sources) == 1 else None


def _list_sources(path: Path) -> list[CsvSource]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        plain = [file for file in files if file.suffix.lower() not in COMPRESSED_SUFFIXES]
        packed = [file for file in files if file.suffix.lower() in COMPRESSED_SUFFIXES]
        return [source for file in (*plain, *packed) for source in _list_sources(file)]
    if path.suffix.lower() != ".zip":
        return [CsvSource(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path}: not a zip, or one that is cut off ({error}); download it again."
        ) from None
    return [CsvSource(path, name) for name in names if not name.startswith("__MACOSX")]
