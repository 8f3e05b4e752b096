"""`recommend` and `similar`: a list or an anime in, the answers of the web API out."""

from __future__ import annotations

import numpy as np

from app.age_rating import CHILDREN_CEILING, AgeRating
from app.catalogue import Catalogue, read_franchises
from app.facets import ItemFacets
from app.recommender import (
    Model,
    RecommendationResult,
    RecommendOptions,
    SortOrder,
    UserList,
    recommend,
)
from app.recommender.similar_items import MATRICES, similar_items
from app.recommender.user_neighbours import find_user_neighbours
from app.schemas.anime import EngineNeighbourSchema, EngineNeighboursResponse, ranked_fields
from app.schemas.base import to_json
from app.schemas.recommendations import RatingCeilingSchema, RecommendationsResponse
from app.schemas.similar_users import SimilarUsers
from model_build.data.ratings import read_user_list
from model_build.interface.config import RecommendConfig, SimilarConfig
from model_build.util.errors import InputError


class ListRecommender:
    """The model, its catalogue, and what the options say; recommends for one list after another."""

    def __init__(self, config: RecommendConfig) -> None:

        self._config = config
        self._model, self._engine, self.catalogue, self._allowed = config.open(config.engine)
        self._facets = ItemFacets(self._model, self.catalogue)
        self._franchises = read_franchises(self.catalogue, self._model.anime_id.tolist())

    def recommend(
        self, user_list: UserList
    ) -> tuple[RecommendationResult, RatingCeilingSchema | None]:
        """Return the recommendations, and the age rating above which nothing is shown."""
        config, allowed, ceiling = self._config, self._allowed, None
        positions = self._model.find_positions(user_list.anime_id)
        if config.rating:
            ceiling = RatingCeilingSchema(rating=AgeRating(config.rating), reason="asked")
        elif not config.adult and self._facets.is_childrens_list(positions[positions >= 0]):
            ceiling = RatingCeilingSchema(rating=CHILDREN_CEILING, reason="childrens_list")
            allowed = allowed & self._facets.rated_up_to(CHILDREN_CEILING)
        options = RecommendOptions(
            top_n=config.top,
            sort_order=SortOrder(config.order),
            engine=self._engine,
            franchises=self._franchises,
            allowed_mask=allowed,
            min_score=config.min_score,
        )
        return recommend(self._model, user_list, options), ceiling


def recommendations_json(config: RecommendConfig) -> str:
    """Return what `recommend --list --json` prints."""
    assert config.list_file is not None
    recommender = ListRecommender(config)
    result, ceiling = recommender.recommend(read_user_list(config.list_file))
    answer = RecommendationsResponse.build(result, recommender.catalogue, ceiling=ceiling)
    return to_json(answer).decode()


def similar_json(config: SimilarConfig) -> str:
    """Return what `similar --json` prints."""
    if config.list_file is not None:
        return to_json(find_similar_users(config)[0]).decode()
    return to_json(find_similar_anime(config)[0]).decode()


def find_similar_anime(config: SimilarConfig) -> tuple[EngineNeighboursResponse, Catalogue]:
    """Return the anime like the one asked for, and the catalogue."""
    matrix = config.engine if config.engine in ("similarity", "affinity") else None
    model, engine, catalogue, allowed = config.open("hakken" if matrix else config.engine)
    anime_id = config.anime or _find_title(model, catalogue, config.title or "")
    at = int(model.find_positions(np.array([anime_id], np.int64))[0])
    if at < 0:
        raise InputError(f"--anime {anime_id}: model {model.version} does not know it.")
    found = similar_items(model, config.engine, at, count=config.top, allowed=allowed)
    answer = EngineNeighboursResponse(
        model=model.version,
        engine=matrix or engine,
        anime_id=anime_id,
        similar=[
            EngineNeighbourSchema(
                **ranked_fields(rank, int(model.anime_id[position]), catalogue), likeness=similarity
            )
            for rank, (position, similarity) in enumerate(found, 1)
        ],
    )
    return answer, catalogue


def find_similar_users(config: SimilarConfig) -> tuple[SimilarUsers, int]:
    """Return the fans like a list and what they loved, and how many fans there are."""
    if config.engine in MATRICES:
        raise InputError(f"--engine {config.engine}: knows anime, no fans; name another engine.")
    model, engine, catalogue, allowed = config.open(config.engine)
    if engine not in model.training_users:
        raise InputError(
            f"model {model.version}: its engine {engine} keeps no fans; "
            f"`python -m model_build engine {engine} --with-fans` makes one that does, "
            "--with-centres one that keeps the centres of clusters of them."
        )
    assert config.list_file is not None
    facets = ItemFacets(model, catalogue)
    words = {"genres": facets.genre, "sources": facets.material}
    found = find_user_neighbours(
        model,
        engine,
        read_user_list(config.list_file),
        count=config.top,
        allowed=allowed,
        preferred=[words[kind] for kind in config.prefer],
    )
    answer = SimilarUsers.build(found, model, catalogue, engine)
    return answer, len(model.training_users[engine])


def _find_title(model: Model, catalogue: Catalogue, title: str) -> int:
    """Return the best known anime of this title, in any of its languages."""
    ids, wanted = model.anime_id.tolist(), title.strip().casefold()
    columns = ("title", "title_english", "title_native")
    named = [
        at
        for at, names in enumerate(
            zip(*(catalogue.column_values(column, ids) for column in columns), strict=True)
        )
        if wanted in [name.casefold() for name in names if name]
    ]
    if not named:
        raise InputError(f"--title {title}: model {model.version} has no anime of this title.")
    return int(ids[max(named, key=lambda at: (model.popularity[at], -at))])
