"""Figures as commands print them: tables in Markdown, and JSON without NaN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the head, and each row as soon as it is known."""
    print(_table_row(columns))
    print("|" + "---|" * len(columns))
    for cells in rows:
        print(_table_row(cells), flush=True)


def format_cell(value: float, format_spec: str) -> str:
    """Return a figure; a dash where there is none (NaN)."""
    return "-" if value != value else format(value, format_spec)


def format_figure(value: float) -> str:
    """Return a figure of any size: whole numbers whole, others with four digits or more.

    >>> format_figure(27310.0), format_figure(1678.4), format_figure(0.62554)
    ('27,310', '1,678', '0.6255')
    """
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def format_cells(values: Mapping[str, float], format_spec: str, *names: str) -> list[str]:
    """Several figures by name."""
    return [format_cell(values[name], format_spec) for name in names]


def _table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def nan_to_null(found: Mapping[str, object]) -> dict[str, object]:
    """NaN is no JSON: a figure that nothing could be measured for is null, at any depth."""

    def clean(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: clean(part) for name, part in value.items()}
        if isinstance(value, list):
            return [clean(part) for part in value]
        return None if isinstance(value, float) and value != value else value

    return {name: clean(value) for name, value in found.items()}
