"""The recommendations on a page as a file: CSV for spreadsheets, JSON as the API answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from flask import Response, json

from app.web.options import BadQuery

_FACTS = ("rank", "anime_id", "title", "title_english", "type", "year", "episodes", "genres")
_COLUMNS = (*_FACTS, "match", "predicted_score", "expected_error", "because", "url")
_OF_ONE = ("match", "predicted_score", "planned")
_PAIR_COLUMNS = (
    *_FACTS,
    "match",
    *(f"{place}_{name}" for place in ("first", "second") for name in _OF_ONE),
    "url",
)
_CROWD_COLUMNS = (*_FACTS, "lovers", "weight", "url")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def export(kind: str, answer: dict[str, Any]) -> Response:
    """An answer (`app.answer`, `app.web.pair_json` or `app.fans_alike`) as a file to keep.

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
    columns, of = _kind(answer)
    rows.writerow(columns)
    for item in answer["recommendations"]:
        told = item | {"genres": ", ".join(item["genres"])}
        rows.writerow([_harmless((told | of(item))[name]) for name in columns])
    return text.getvalue()


def _kind(answer: dict[str, Any]) -> tuple[tuple[str, ...], Callable[[dict[str, Any]], Any]]:
    """The columns, and what goes into them beside what a recommendation itself says."""
    if "likeness" in answer:
        return _PAIR_COLUMNS, _of_both
    if "nearest" in answer:
        return _CROWD_COLUMNS, lambda _: {}
    return _COLUMNS, lambda item: {"because": ", ".join(map(_reason, item["because"]))}


def _of_both(item: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{place}_{name}": int(fan[name]) if name == "planned" else fan[name]
        for place, fan in zip(("first", "second"), item["fans"], strict=True)
        for name in _OF_ONE
    }


def _reason(why: dict[str, Any]) -> str:
    return f"{why['title']} {why['score']:g}" if why["score"] else str(why["title"])


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value
