"""What a command says when its input is wrong."""

from __future__ import annotations


class InputError(Exception):
    """Bad input, told in one sentence: what is wrong, where, and what was expected.

    The command line prints it and exits with status 2; nothing has been written. Whatever reads
    what a person has named raises it, without saying so in its docstring.
    """
