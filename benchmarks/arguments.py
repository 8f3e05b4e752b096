"""Types of command-line options."""

from __future__ import annotations

import argparse

from model_build.util.options import parse_byte_size


def positive_int(text: str) -> int:
    """Return a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


def byte_size(text: str) -> int:
    """Bytes, as a number with a unit: 500MB, 4GiB."""
    try:
        return parse_byte_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
