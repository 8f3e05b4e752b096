"""Recommend for one list, as the web application would.

The list file has the columns anime_id, rating and optionally status; with --json the output is what
the web API answers.
"""

from __future__ import annotations

from pydantic import Field

from model_build.commands.catalogue_filters import EngineOptions, format_anime
from model_build.util.options import EngineChoice, InputFile, OrderName, named


class RecommendConfig(EngineOptions):
    """Options of `recommend`."""

    list_file: InputFile = named("list", "")
    order: OrderName = "match"
    engine: EngineChoice = Field("hakken", description="one that the model has")


CONFIG = RecommendConfig


def run(config: RecommendConfig) -> None:
    """Print the recommendations, in words or as JSON."""
    from app.catalogue import read_franchises
    from app.recommender import RecommendOptions, SortOrder, recommend
    from app.schemas.base import to_json
    from app.schemas.recommendations import RecommendationsResponse
    from model_build.data.ratings import read_user_list

    user_list = read_user_list(config.list_file)
    model, engine, catalogue, allowed = config.open(config.engine)
    options = RecommendOptions(
        top_n=config.top,
        sort_order=SortOrder(config.order),
        engine=engine,
        franchises=read_franchises(catalogue, model.anime_id.tolist()),
        allowed_mask=allowed,
    )
    answer = recommend(model, user_list, options)
    if config.as_json:
        print(to_json(RecommendationsResponse.build(answer, catalogue)).decode())
        return
    for item in answer.recommendations:
        anime = catalogue.get_anime(item.anime_id)
        numbers = f"{item.rank:>3}  {item.match:3.0f} %  {item.predicted_score:4.1f}"
        print(f"{numbers}  {format_anime(anime)}")
        reasons = [
            catalogue.title(reason.anime_id) + (f" {reason.score:g}" if reason.score else "")
            for reason in item.contributions
        ]
        if reasons:
            print(f"                  because of {', '.join(reasons)}")
