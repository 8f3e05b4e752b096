r"""Recommend for one list, as the web application would, or for users who were collected.

    python -m model_build recommend --model model --list list.csv
    python -m model_build recommend --model model --interactions interactions.parquet --user 17
    python -m model_build recommend --model model --interactions interactions.parquet \
        --top-users 5 --engine als --picture favourites.png

The list file has the columns anime_id, rating and optionally status; with --json the output is what
the web API answers. Users that `collect` found are shown with their favourites beside the
recommendations; those with the most entries count as the most active. The match is that
of a card on the page: how much of what you gave 8 or more it beats, or with another engine, from 0
to 100, how surely it belongs on such a list.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from model_build.interface.config import RecommendConfig
from model_build.util.errors import InputError

if TYPE_CHECKING:
    from app.catalogue import Catalogue
    from app.recommender import Contribution, RecommendationResult


CONFIG = RecommendConfig


def run(config: RecommendConfig) -> None:
    """Print the recommendations, in words or as JSON."""
    from model_build.data.ratings import read_user_list
    from model_build.interface.job import ListRecommender, recommendations_json

    _check_options(config)
    if config.interactions is not None:
        _recommend_for_users(config)
        return
    assert config.list_file is not None
    if config.as_json:
        print(recommendations_json(config))
        return
    recommender = ListRecommender(config)
    result, ceiling = recommender.recommend(read_user_list(config.list_file))
    if ceiling and ceiling.reason == "childrens_list":
        label = ceiling.rating.label
        print(f"A children's list: nothing above {label} is shown; --rating rplus shows more.")
    _print_recommendations(result, recommender.catalogue)


def _check_options(config: RecommendConfig) -> None:
    """Raise InputError: options that do not go together."""
    if (config.list_file is None) == (config.interactions is None):
        raise InputError("name either one list (--list) or --interactions.")
    chosen = [config.user is not None, config.top_users is not None]
    if config.interactions is not None and sum(chosen) != 1:
        raise InputError("--interactions: whose? name either --user or --top-users.")
    if config.interactions is None and (any(chosen) or config.picture is not None):
        raise InputError("--user, --top-users and --picture go with --interactions.")


def _recommend_for_users(config: RecommendConfig) -> None:
    from app.schemas.base import to_json
    from app.schemas.recommendations import RecommendationsResponse
    from model_build.data.interactions import read_interactions
    from model_build.interface.job import ListRecommender
    from model_build.reporting.favourites import (
        UserPicks,
        check_picture,
        dearest_anime,
        find_user_rows,
        most_active_users,
        write_picture,
    )
    from model_build.util.markdown_tables import print_table

    assert config.interactions is not None
    if config.picture is not None:
        check_picture(config.picture)
    interactions = read_interactions((), (config.interactions,))
    users = (
        [config.user]
        if config.user is not None
        else most_active_users(interactions, config.top_users or 1)
    )
    rows_by_user = {user: find_user_rows(interactions, user) for user in users}
    recommender = ListRecommender(config)
    catalogue = recommender.catalogue
    found: list[UserPicks] = []
    for user, rows in rows_by_user.items():
        result, ceiling = recommender.recommend(interactions.user_list(rows))
        favourites, named_favourites = dearest_anime(interactions, rows)
        shown = {*favourites, *(item.anime_id for item in result.recommendations)}
        titles = {anime_id: catalogue.title(anime_id) for anime_id in sorted(shown)}
        picks = UserPicks(user, len(rows), favourites, named_favourites, result, titles)
        found.append(picks)
        if config.as_json:
            # One object a line, each with whose it is.
            answer = RecommendationsResponse.build(result, catalogue, ceiling=ceiling)
            whose = {"user_id": user, "favourites": list(favourites)}
            print(json.dumps(whose | json.loads(to_json(answer)), ensure_ascii=False))
            continue
        print(f"\n{picks.caption}\n" if len(found) > 1 else f"{picks.caption}\n")
        print_table((picks.favourites_title, "recommendations", "match"), picks.rows())
    if config.picture is not None:
        write_picture(config.picture, found)


def _print_recommendations(result: RecommendationResult, catalogue: Catalogue) -> None:
    from app.recommender import EngineName
    from model_build.interface.filters import format_anime
    from model_build.reporting.favourites import shown_match

    # What a factor model adds up is told with its sign: percent of a match, or points of a score.
    signed = None if result.engine is EngineName.HAKKEN else result.explained_target
    for item in result.recommendations:
        anime = catalogue.get_anime(item.anime_id)
        numbers = f"{item.rank:>3}  {shown_match(item):3.0f} %  {item.predicted_score:4.1f}"
        print(f"{numbers}  {format_anime(anime)}")
        reasons = [_format_reason(reason, catalogue, signed) for reason in item.contributions]
        if reasons:
            print(f"                  because of {', '.join(reasons)}")


def _format_reason(reason: Contribution, catalogue: Catalogue, signed: str | None) -> str:
    """Title and score, and, where it is ``signed``, by how much it moves which number."""
    words = catalogue.title(reason.anime_id) + (f" {reason.score:g}" if reason.score else "")
    if signed is None:
        return words
    return f"{words} ({reason.weight:+.1f} {'%' if signed == 'match' else 'points'})"
