"""The recommendations on a page as a file: CSV for spreadsheets, JSON as the API answers."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, json

from app.web.options import BadQuery

_COLUMNS = (
    "rank",
    "anime_id",
    "title",
    "title_english",
    "type",
    "year",
    "episodes",
    "genres",
    "match",
    "predicted_score",
    "expected_error",
    "because",
    "url",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def export(kind: str, answer: dict[str, Any]) -> Response:
    """An answer (`app.answer`) as a file to keep.

    Raises:
        BadQuery: there is no such kind of file.
    """
    if kind == "csv":
        # The mark at the start tells spreadsheets that it is UTF-8.
        response = Response(b"\xef\xbb\xbf" + as_csv(answer).encode(), mimetype="text/csv")
    elif kind == "json":
        text = json.dumps(answer, ensure_ascii=False, sort_keys=False, indent=1)
        response = Response(text, mimetype="application/json")
    else:
        raise BadQuery("format", "“format” should be csv or json.")
    response.headers["Content-Disposition"] = f'attachment; filename="hakken.{kind}"'
    return response


def as_csv(answer: dict[str, Any]) -> str:
    """One line a recommendation."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(_COLUMNS)
    for item in answer["recommendations"]:
        told = item | {
            "genres": ", ".join(item["genres"]),
            "because": ", ".join(_reason(why) for why in item["because"]),
        }
        rows.writerow([_harmless(told[name]) for name in _COLUMNS])
    return text.getvalue()


def _reason(why: dict[str, Any]) -> str:
    return f"{why['title']} {why['score']:g}" if why["score"] else str(why["title"])


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value
