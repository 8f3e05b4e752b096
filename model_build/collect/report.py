"""What a collection tells: one object for programs, the same in words for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from model_build.collect.client import RequestStats
from model_build.collect.kitsu.collection import CollectedUsers
from model_build.collect.segments import ACTIVITY_SEGMENTS, bin_edges

STATUS_NAMES = {1: "watching", 2: "completed", 3: "on_hold", 4: "dropped", 6: "plan_to_watch"}
FLAG_COLUMNS = ("favourite", "commented", "reviewed")


def build_kitsu_report(
    collected: CollectedUsers,
    requested_users: int,
    segments: tuple[str, ...],
    pages: Mapping[str, int],
    traffic: RequestStats,
    seconds: float,
) -> dict[str, Any]:
    """All numbers of a collection from Kitsu; ``pages`` counts the answers kept, by kind."""
    users, found = collected.users, collected.interactions
    beyond = sum(count for kind, count in pages.items() if kind != "users")
    bounds = bin_edges(users["score"].to_numpy())
    return {
        "service": "kitsu",
        "users_wanted": requested_users,
        "users": len(users),
        "segments": {
            name: {
                "users": users.filter(pl.col("segment") == name).height,
                "score_from": round(float(bounds[place]), 3),
                "score_to": round(float(bounds[place + 1]), 3),
                "written": name in segments,
            }
            for place, name in enumerate(ACTIVITY_SEGMENTS)
        },
        "interactions": interaction_counts(found),
        "pages": dict(pages),
        "calls_a_user_beyond_sampling": round(beyond / len(users), 3),
        "counted": dict(sorted(collected.tally.items())),
        "this_run": run_statistics(traffic, seconds),
    }


def interaction_counts(interactions: pl.DataFrame) -> dict[str, int]:
    """How many interactions there are of each kind."""
    return {
        "all": len(interactions),
        "users": interactions["user_id"].n_unique(),
        "anime": interactions["anime_id"].n_unique(),
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
    traffic: RequestStats,
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
        "this_run": run_statistics(traffic, seconds),
    }


def run_statistics(traffic: RequestStats, seconds: float) -> dict[str, Any]:
    """Return what this run took."""
    return {
        "seconds": round(seconds, 1),
        "answers": traffic.responses,
        "answers_429": traffic.rate_limited,
        "answers_5xx": traffic.server_errors,
        "seconds_of_rest": round(traffic.seconds_waited, 1),
        "useless_answers": dict(sorted(traffic.failure_reasons.items())),
    }


def render_report(report: Mapping[str, Any]) -> str:
    """Return the report as lines of text: nested objects are indented."""
    return "\n".join(_report_lines(report, "")) + "\n"


def _report_lines(found: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in found.items():
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
