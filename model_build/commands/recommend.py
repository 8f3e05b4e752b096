"""Recommend for one list, as the web application would.

The list file has the columns anime_id, rating and optionally status; with --json the output is what
the web API answers.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from model_build.commands.catalogue_filters import EngineOptions, format_anime
from model_build.util.options import EngineChoice, InputFile, OrderName, named


class RecommendConfig(EngineOptions):
    """Options of `recommend`."""

    list_file: InputFile = named("list", "")
    order: OrderName = "match"
    engine: EngineChoice = Field("hakken", description="one that the model has")
    min_score: Annotated[float, Ge(1), Le(10)] | None = Field(
        None, description="the least predicted score, 1 to 10"
    )


CONFIG = RecommendConfig


def run(config: RecommendConfig) -> None:
    """Print the recommendations, in words or as JSON."""
    from app.age_rating import CHILDREN_CEILING, AgeRating
    from app.catalogue import read_franchises
    from app.facets import ItemFacets
    from app.recommender import RecommendOptions, SortOrder, recommend
    from app.schemas.base import to_json
    from app.schemas.recommendations import RatingCeilingSchema, RecommendationsResponse
    from model_build.data.ratings import read_user_list

    user_list = read_user_list(config.list_file)
    model, engine, catalogue, allowed = config.open(config.engine)
    positions = model.find_positions(user_list.anime_id)
    facets = ItemFacets(model, catalogue)
    ceiling = None
    if config.rating:
        ceiling = RatingCeilingSchema(rating=AgeRating(config.rating), reason="asked")
    elif not config.adult and facets.is_childrens_list(positions[positions >= 0]):
        ceiling = RatingCeilingSchema(rating=CHILDREN_CEILING, reason="childrens_list")
        allowed &= facets.rated_up_to(CHILDREN_CEILING)
    options = RecommendOptions(
        top_n=config.top,
        sort_order=SortOrder(config.order),
        engine=engine,
        franchises=read_franchises(catalogue, model.anime_id.tolist()),
        allowed_mask=allowed,
        min_score=config.min_score,
    )
    answer = recommend(model, user_list, options)
    if config.as_json:
        print(to_json(RecommendationsResponse.build(answer, catalogue, ceiling=ceiling)).decode())
        return
    if ceiling and ceiling.reason == "childrens_list":
        label = CHILDREN_CEILING.label
        print(f"A children's list: nothing above {label} is shown; --rating rplus shows more.")
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
