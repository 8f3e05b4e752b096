"""Reading files of a model, which somebody else may have made: plain files alone, and no surprises.

A pipe of the right name would hang whoever opens it, a device never end, and a few kilobytes of
gzip may hold gigabytes.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from io import BufferedReader
from pathlib import Path

_GZIP_WINDOW = zlib.MAX_WBITS | 16


class TooLargeError(ValueError):
    """A file that holds more than whoever reads it has room for."""


def open_regular(file: Path) -> BufferedReader:
    """Open a file for reading, never waiting for anybody who would write into it.

    Raises
    ------
    OSError
        It cannot be opened, or is a folder, a pipe or a device.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(file))
    return os.fdopen(descriptor, "rb")


def read_regular(file: Path, max_bytes: int) -> bytes:
    """Return the content of a file. Raises OSError as `open_regular` does, or TooLargeError."""
    with open_regular(file) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise TooLargeError(f"more than {max_bytes:,} bytes")
    return content


def decompress_gzip(content: bytes, max_bytes: int) -> bytes:
    """Unpack one gzip member.

    Raises
    ------
    TooLargeError
        It holds more than ``max_bytes``; no more than these are unpacked.
    ValueError
        It is no gzip, or not whole.
    """
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = unpacker.decompress(content, max_bytes + 1)
    except zlib.error as error:
        raise ValueError(f"not gzip ({error})") from None
    if len(unpacked) > max_bytes:
        raise TooLargeError(f"unpacks to more than {max_bytes:,} bytes")
    if not unpacker.eof:
        raise ValueError("not gzip, or cut off")
    return unpacked
