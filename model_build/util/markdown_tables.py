"""Tables of figures in Markdown, as commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the head, and each row as soon as it is known."""
    print(_table_row(columns))
    print("|" + "---|" * len(columns))
    for cells in rows:
        print(_table_row(cells), flush=True)


def format_cell(value: float, format_spec: str) -> str:
    """A figure; a dash where there is none (NaN)."""
    return "-" if value != value else format(value, format_spec)


def _table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
