"""Recommend for one list, as the web application would.

The list file has the columns anime_id, rating and optionally status; with --json the output is what
the web API answers.
"""

from __future__ import annotations

from pydantic import Field

from model_build.commands.catalogue_filters import FilterOptions, filter_mask
from model_build.util.options import Count, EngineChoice, InputFile, InputFolder, OrderName, named


class RecommendConfig(FilterOptions):
    """Options of `recommend`."""

    model: InputFolder
    list_file: InputFile = named("list", "")
    top: Count = 20
    order: OrderName = "match"
    engine: EngineChoice = Field("hakken", description="one that the model has")
    as_json: bool = named("json", "", False)


CONFIG = RecommendConfig


def run(config: RecommendConfig) -> None:
    """Print the recommendations, in words or as JSON."""
    from app.catalogue import Catalogue, read_franchises
    from app.recommender import Model, RecommendOptions, SortOrder, recommend
    from app.schemas.base import to_json
    from app.schemas.recommendations import RecommendationsResponse
    from model_build.data.ratings import read_user_list
    from model_build.evaluate.job import require_engine

    user_list = read_user_list(config.list_file)
    model = Model.open(config.model)
    engine = require_engine(model, config.engine)
    catalogue = Catalogue.open(model.catalogue_path)
    options = RecommendOptions(
        top_n=config.top,
        sort_order=SortOrder(config.order),
        engine=engine,
        franchises=read_franchises(catalogue, model.anime_id.tolist()),
        allowed_mask=filter_mask(config, model, catalogue),
    )
    answer = recommend(model, user_list, options)
    if config.as_json:
        print(to_json(RecommendationsResponse.build(answer, catalogue)).decode())
        return
    for item in answer.recommendations:
        anime = catalogue.get_anime(item.anime_id)
        facts = ", ".join(str(fact) for fact in (anime.type, anime.year) if fact)
        print(
            f"{item.rank:>3}  {item.match:3.0f} %  {item.predicted_score:4.1f}  "
            f"{anime.title} ({facts})"
        )
        reasons = [
            catalogue.title(reason.anime_id) + (f" {reason.score:g}" if reason.score else "")
            for reason in item.contributions
        ]
        if reasons:
            print(f"                  because of {', '.join(reasons)}")
