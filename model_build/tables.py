"""Tables of figures in Markdown, as commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the head, and each row as soon as it is known."""
    print(_line(columns))
    print("|" + "---|" * len(columns))
    for cells in rows:
        print(_line(cells), flush=True)


def cell(value: float, form: str) -> str:
    """A figure; a dash where there is none (NaN)."""
    return "-" if value != value else format(value, form)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
