"""The recommendations on a page as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from app.schemas.base import to_dict
from app.schemas.pair import PairRecommendationsResponse
from app.schemas.recommendations import RecommendationsResponse
from app.schemas.similar_users import SimilarUsers

ExportedAnswer = RecommendationsResponse | PairRecommendationsResponse | SimilarUsers

_ANIME_COLUMNS = [
    "rank",
    "anime_id",
    "title",
    "title_english",
    "type",
    "year",
    "episodes",
    "genres",
]
_MEMBER_COLUMNS = ("match", "predicted_score", "planned")
_PAIR_COLUMNS = [f"{member}_{name}" for member in ("first", "second") for name in _MEMBER_COLUMNS]
_FORMULA = re.compile(r"(^|[;\t\r\n|])([\s\x00-\x1f\ufeff\u200b-\u200f\"]*[=+\-@＝＋－＠\t\r\n])")
"""What a spreadsheet may take for the beginning of a formula: behind blanks, in the letters of
East Asian keyboards, or behind what separates cells elsewhere (semicolons, where commas are
decimal)."""


def to_csv(answer: ExportedAnswer) -> str:
    """Write a line for every recommendation."""
    text = io.StringIO()
    columns = [*_ANIME_COLUMNS, *_columns_of(answer), "url"]
    writer = csv.writer(text)
    writer.writerow(columns)
    for item in to_dict(answer)["recommendations"]:
        cells = _cells(item)
        writer.writerow([_escape_formula(cells[name]) for name in columns])
    return text.getvalue()


def _columns_of(answer: ExportedAnswer) -> list[str]:
    """List the columns between those of the anime and its address."""
    if isinstance(answer, PairRecommendationsResponse):
        return ["match", *_PAIR_COLUMNS]
    if isinstance(answer, SimilarUsers):
        return ["lovers", "weight"]
    matches = ["match", "moved_by", "match_percentile"]
    return [*matches, "expected_score", "expected_error", "predicted_score", "because"]


def _cells(item: dict[str, Any]) -> dict[str, Any]:
    cells = item | {"genres": ", ".join(item["genres"])}
    if "because" in item:
        cells["because"] = ", ".join(map(_contribution_text, item["because"]))
    if "fans" in item:
        numbers = [member[name] for member in item["fans"] for name in _MEMBER_COLUMNS]
        cells |= zip(_PAIR_COLUMNS, numbers, strict=True)
    return cells


def _contribution_text(contribution: dict[str, Any]) -> str:
    score = f" {contribution['score']:g}" if contribution["score"] else ""
    return f"{contribution['title']}{score}"


def _escape_formula(value: Any) -> Any:
    """Write text that a spreadsheet would take for a formula with an apostrophe before it."""
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'\2", value)
    return int(value) if isinstance(value, bool) else value
