"""What a collection tells: one object for programs, the same in words for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from model_build.collecting.kitsu.collection import Collected
from model_build.collecting.patience import Traffic
from model_build.collecting.segments import SEGMENTS, edges

MAL_STATUS = {1: "watching", 2: "completed", 3: "on_hold", 4: "dropped", 6: "plan_to_watch"}
FLAGS = ("favourite", "commented", "reviewed")


def kitsu_report(
    collected: Collected,
    wanted: int,
    chosen: tuple[str, ...],
    pages: Mapping[str, int],
    traffic: Traffic,
    seconds: float,
) -> dict[str, Any]:
    """All numbers of a collection from Kitsu; ``pages`` counts the answers kept, by kind."""
    users, found = collected.users, collected.interactions
    beyond = sum(count for kind, count in pages.items() if kind != "users")
    bounds = edges(users["score"].to_numpy())
    return {
        "service": "kitsu",
        "users_wanted": wanted,
        "users": len(users),
        "segments": {
            name: {
                "users": users.filter(pl.col("segment") == name).height,
                "score_from": round(float(bounds[place]), 3),
                "score_to": round(float(bounds[place + 1]), 3),
                "written": name in chosen,
            }
            for place, name in enumerate(SEGMENTS)
        },
        "interactions": counts_of(found),
        "pages": dict(pages),
        "calls_a_user_beyond_sampling": round(beyond / len(users), 3),
        "counted": dict(sorted(collected.tally.items())),
        "this_run": run_of(traffic, seconds),
    }


def counts_of(interactions: pl.DataFrame) -> dict[str, int]:
    """How many interactions there are of each kind."""
    return {
        "all": len(interactions),
        "users": interactions["user_id"].n_unique(),
        "anime": interactions["anime_id"].n_unique(),
        **{
            name: interactions.filter(pl.col("status") == code).height
            for code, name in MAL_STATUS.items()
        },
        "scored": interactions.filter(pl.col("rating") > 0).height,
        **{name: int(interactions[name].sum()) for name in FLAGS},
    }


def lists_report(
    service: str, names: int, ratings: pl.DataFrame, tally: Counter[str], traffic: Traffic, s: float
) -> dict[str, Any]:
    """All numbers of a collection of lists by name."""
    return {
        "service": service,
        "names": names,
        "ratings": {
            "all": len(ratings),
            "users": ratings["user_id"].n_unique(),
            "anime": ratings["anime_id"].n_unique(),
            "scored": ratings.filter(pl.col("rating") > 0).height,
        },
        "counted": dict(sorted(tally.items())),
        "this_run": run_of(traffic, s),
    }


def run_of(traffic: Traffic, seconds: float) -> dict[str, Any]:
    """What this run took."""
    return {
        "seconds": round(seconds, 1),
        "answers": traffic.answers,
        "answers_429": traffic.limited,
        "answers_5xx": traffic.failed,
        "seconds_of_rest": round(traffic.waited, 1),
        "useless_answers": dict(sorted(traffic.trouble.items())),
    }


def in_words(report: Mapping[str, Any]) -> str:
    """The report as lines of text: nested objects are indented."""
    return "\n".join(_lines(report, "")) + "\n"


def _lines(found: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in found.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping):
            lines += [
                f"{indent}{words}:",
                *(_lines(value, f"{indent}  ") or [f"{indent}  nothing"]),
            ]
        else:
            lines.append(f"{indent}{words}: {_said(value)}")
    return lines


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
