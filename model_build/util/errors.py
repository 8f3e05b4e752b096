"""What a command says when its input is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import ValidationError

T = TypeVar("T")


class InputError(Exception):
    """Bad input, told in one sentence: what is wrong, where, and what was expected.

    The command line prints it and exits with status 2; nothing has been written. Whatever reads
    what a person has named raises it, without saying so in its docstring.
    """


def first_error(error: ValidationError, whole: str = "the file") -> str:
    """Return where the first thing is wrong, and how; ``whole`` stands for no place."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"


def read_file(path: Path, what: str, parse: Callable[[str], T]) -> T:
    """Read a file of text and parse it; an error calls it ``what``."""
    try:
        return parse(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as {what} ({error}).") from None
