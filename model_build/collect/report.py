"""The report of a collection: one JSON object, and the same as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from model_build.collect.client import RequestStats
from model_build.collect.config import ACTIVITY_SEGMENTS
from model_build.collect.kitsu.collection import CollectedUsers
from model_build.collect.kitsu.users import COUNT_ATTRIBUTES

STATUS_NAMES = {1: "watching", 2: "completed", 3: "on_hold", 4: "dropped", 6: "plan_to_watch"}
FLAG_COLUMNS = ("favourite", "commented", "reviewed")


def build_kitsu_report(
    collected: CollectedUsers,
    requested_users: int,
    segments: tuple[str, ...],
    pages: Mapping[str, int],
    stats: RequestStats,
    seconds: float,
) -> dict[str, Any]:
    """Build the report on a collection from Kitsu; ``pages`` counts stored responses by kind."""
    users = collected.users
    beyond = sum(count for kind, count in pages.items() if kind != "users")
    edges = collected.edges
    return {
        "service": "kitsu",
        "users_wanted": requested_users,
        "users": len(users),
        "segments": {
            name: {
                "users": users.filter(pl.col("segment") == name).height,
                "score_from": round(float(edges[at]), 3),
                "score_to": round(float(edges[at + 1]), 3),
                "written": name in segments,
            }
            for at, name in enumerate(ACTIVITY_SEGMENTS)
        },
        "activity": activity_totals(users),
        "interactions": interaction_counts(collected.interactions),
        "sparsity": round(sparsity(collected.interactions), 6),
        "pages": dict(pages),
        "calls_a_user_beyond_sampling": round(beyond / collected.sample_size, 3),
        "counted": dict(sorted(collected.tally.items())),
        "this_run": run_statistics(stats, seconds),
    }


def sparsity(interactions: pl.DataFrame) -> float:
    """Return the share of the pairs of a user and an anime that nothing is known of."""
    cells = interactions["user_id"].n_unique() * interactions["anime_id"].n_unique()
    return 1.0 - len(interactions) / cells if cells else 0.0


def activity_totals(users: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return what the users of each segment did in all, by what was done; minutes are hours."""
    sums = users.group_by("segment").agg(pl.col(COUNT_ATTRIBUTES).cast(pl.Int64).sum())
    of_segment = {row["segment"]: row for row in sums.to_dicts()}
    nothing = dict.fromkeys(COUNT_ATTRIBUTES, 0)
    totals = {}
    for name in ACTIVITY_SEGMENTS:
        found = {column: of_segment.get(name, nothing)[column] for column in COUNT_ATTRIBUTES}
        found["hours"] = found.pop("life_spent_on_anime") // 60
        totals[name] = found
    return totals


def interaction_counts(interactions: pl.DataFrame) -> dict[str, int]:
    """How many interactions there are of each kind."""
    return {
        "all": len(interactions),
        "users": interactions["user_id"].n_unique(),
        "anime_interacted": interactions["anime_id"].n_unique(),
        **{
            name: interactions.filter(pl.col("status") == code).height
            for code, name in STATUS_NAMES.items()
        },
        "scored": interactions.filter(pl.col("rating") > 0).height,
        **{name: int(interactions[name].sum()) for name in FLAG_COLUMNS},
    }


def build_lists_report(
    service: str,
    n_names: int,
    ratings: pl.DataFrame,
    tally: Counter[str],
    stats: RequestStats,
    seconds: float,
) -> dict[str, Any]:
    """All numbers of a collection of lists by name."""
    return {
        "service": service,
        "names": n_names,
        "ratings": {
            "all": len(ratings),
            "users": ratings["user_id"].n_unique(),
            "anime": ratings["anime_id"].n_unique(),
            "scored": ratings.filter(pl.col("rating") > 0).height,
        },
        "counted": dict(sorted(tally.items())),
        "this_run": run_statistics(stats, seconds),
    }


def run_statistics(stats: RequestStats, seconds: float) -> dict[str, Any]:
    """Return time, requests and waits of this run."""
    return {
        "seconds": round(seconds, 1),
        "answers": stats.responses,
        "answers_429": stats.rate_limited,
        "answers_5xx": stats.server_errors,
        "seconds_of_rest": round(stats.seconds_waited, 1),
        "useless_answers": dict(sorted(stats.failure_reasons.items())),
    }


def render_report(report: Mapping[str, Any]) -> str:
    """Render a report as text; nested objects are indented."""
    return "\n".join(_report_lines(report, "")) + "\n"


def _report_lines(report: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in report.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping):
            lines += [
                f"{indent}{words}:",
                *(_report_lines(value, f"{indent}  ") or [f"{indent}  nothing"]),
            ]
        else:
            lines.append(f"{indent}{words}: {_format_value(value)}")
    return lines


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
