"""The recommendations on a page as a file: CSV for spreadsheets, JSON as the API answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from flask import Response, json

from app.web.requests.query import InvalidQuery

_ANIME_COLUMNS = (
    "rank",
    "anime_id",
    "title",
    "title_english",
    "type",
    "year",
    "episodes",
    "genres",
)
_RECOMMENDATION_COLUMNS = (
    *_ANIME_COLUMNS,
    "match",
    "predicted_score",
    "expected_error",
    "because",
    "url",
)
_MEMBER_COLUMNS = ("match", "predicted_score", "planned")
_PAIR_COLUMNS = (
    *_ANIME_COLUMNS,
    "match",
    *(f"{place}_{name}" for place in ("first", "second") for name in _MEMBER_COLUMNS),
    "url",
)
_SIMILAR_USERS_COLUMNS = (*_ANIME_COLUMNS, "lovers", "weight", "url")
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")


def export_response(file_format: str, body: dict[str, Any]) -> Response:
    """An answer (`app.recommendation_json`, `app.web.presenters.pair_json` or `app.neighbours_json`) as a file to keep.

    Raises:
        BadQuery: there is no such kind of file.
    """
    if file_format == "csv":
        # The mark at the start tells spreadsheets that it is UTF-8.
        response = Response(b"\xef\xbb\xbf" + to_csv(body).encode(), mimetype="text/csv")
    elif file_format == "json":
        text = json.dumps(body, ensure_ascii=False, sort_keys=False, indent=1)
        response = Response(text, mimetype="application/json")
    else:
        raise InvalidQuery("format", "“format” should be csv or json.")
    response.headers["Content-Disposition"] = f'attachment; filename="hakken.{file_format}"'
    return response


def to_csv(body: dict[str, Any]) -> str:
    """One line a recommendation."""
    text = io.StringIO()
    rows = csv.writer(text)
    columns, extra_cells = _select_columns(body)
    rows.writerow(columns)
    for item in body["recommendations"]:
        cells = item | {"genres": ", ".join(item["genres"])}
        rows.writerow([_escape_formula((cells | extra_cells(item))[name]) for name in columns])
    return text.getvalue()


def _select_columns(
    body: dict[str, Any],
) -> tuple[tuple[str, ...], Callable[[dict[str, Any]], Any]]:
    """The columns, and what goes into them beside what a recommendation itself says."""
    if "likeness" in body:
        return _PAIR_COLUMNS, _member_cells
    if "nearest" in body:
        return _SIMILAR_USERS_COLUMNS, lambda _: {}
    return _RECOMMENDATION_COLUMNS, lambda item: {
        "because": ", ".join(map(_format_contribution, item["because"]))
    }


def _member_cells(item: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{place}_{name}": int(fan[name]) if name == "planned" else fan[name]
        for place, fan in zip(("first", "second"), item["fans"], strict=True)
        for name in _MEMBER_COLUMNS
    }


def _format_contribution(contribution: dict[str, Any]) -> str:
    return (
        f"{contribution['title']} {contribution['score']:g}"
        if contribution["score"]
        else str(contribution["title"])
    )


def _escape_formula(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_PREFIXES):
        return f"'{value}"
    return value
