"""The library: everything that an answer needs and that comes with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.catalogue import Catalogue, infer_franchises
from app.details import DetailsCache
from app.lists import ListSource
from app.recommender import (
    Franchises,
    Model,
    RecommendOptions,
    SortOrder,
    UserList,
    WatchStatus,
    recommend,
)
from app.recommender.array_types import BoolArray
from app.title_search import TitleIndex
from app.web.services.filters import ItemAttributes
from app.web.services.providers import DataProviders

ADULT_GENRE = "Hentai"


@dataclass(frozen=True, slots=True)
class Library:
    """What a request answers with, from its beginning to its end, shared by all threads.

    ``suitable`` (n,) bool is False where an anime of the model is for adults only; ``franchises``
    groups the model's anime. ``sources`` and ``details`` are the process's own: they outlive the
    model.
    """

    model: Model
    catalogue: Catalogue
    sources: Mapping[str, ListSource]
    non_adult: BoolArray
    franchises: Franchises
    details_cache: DetailsCache
    title_index: TitleIndex
    attributes: ItemAttributes


def load_library(path: Path, providers: DataProviders) -> Library:
    """Open the model at ``path`` and answer once with it, so that no visitor waits for that.

    Raises:
        ArtifactError, ValueError, KeyError: the model or its catalogue cannot be used.
    """
    model = Model.open(path)
    catalogue = Catalogue.open(model.catalogue_path)
    title_index = TitleIndex(catalogue, _non_adult_ids(catalogue))
    # The first call compiles the kernels; the first visitor must not wait for that.
    for order in SortOrder:
        user_list = UserList.from_entries([(int(model.anime_id[0]), 8.0, WatchStatus.COMPLETED)])
        recommend(model, user_list, RecommendOptions(top_n=1, sort_order=order))
    franchises = infer_franchises(catalogue, model.anime_id.tolist())
    non_adult = _non_adult_mask(model, catalogue)
    attributes = ItemAttributes.from_catalogue(model, catalogue)
    # Last, for this is seen by requests with the model before, too.
    providers.update_id_maps(catalogue)
    return Library(
        model,
        catalogue,
        providers.sources,
        non_adult,
        franchises,
        providers.details_cache,
        title_index,
        attributes,
    )


def _non_adult_mask(model: Model, catalogue: Catalogue) -> BoolArray:
    return ~np.array(_adult_flags(catalogue, model.anime_id.tolist()), bool)


def _non_adult_ids(catalogue: Catalogue) -> list[int]:
    """Ids of all anime of the catalogue that are not for adults only."""
    ids = catalogue.anime_ids()
    return [
        anime_id
        for anime_id, adult in zip(ids, _adult_flags(catalogue, ids), strict=True)
        if not adult
    ]


def _adult_flags(catalogue: Catalogue, ids: Sequence[int]) -> list[bool]:
    flags, genres = catalogue.column_values("adult", ids), catalogue.column_values("genres", ids)
    return [
        bool(flag) or ADULT_GENRE in (names or "").split(";")
        for flag, names in zip(flags, genres, strict=True)
    ]
