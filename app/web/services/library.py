"""The library: everything that an answer needs and that comes with a model."""

from __future__ import annotations

import threading
from collections import OrderedDict, UserDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from app.age_rating import AgeRating
from app.card_images import CardCache
from app.catalogue import Anime, Catalogue, TitleLanguage, read_franchises
from app.details import DetailsCache, build_details_cache
from app.facets import adult_mask
from app.lists import ListSource, ServiceClients, build_list_sources
from app.recommender import Franchises, Model
from app.recommender.array_types import BoolArray
from app.recommender.trial import try_model
from app.settings import AppSettings
from app.source_config import build_source_settings
from app.title_search import TitleIndex
from app.web.services.filters import ItemAttributes

KEPT_FRAGMENTS = 32
"""Parts of pages, of 50 to 110 kilobytes each."""
KEPT_CARD_PARTS = 4096
"""Parts of cards, of about a kilobyte each."""


class ModelUnavailable(Exception):  # noqa: N818 -- it names the state, not a mistake
    """There is no model to answer with."""


class KeptFragments:
    """Parts of pages that are the same for all lists: the ``count`` that were asked for last.

    A fragment must depend on nothing but its key and the model.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: OrderedDict[Hashable, str] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get_or_render(self, key: Hashable, caller: Callable[[], str]) -> str:
        """Return what is kept under a key; else what ``caller`` renders, and keep that.

        In a template: ``{% call fragments.get_or_render(key) %}...{% endcall %}``.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rendered = caller()
        with self._lock:
            self._kept[key] = rendered
            while len(self._kept) > self._count:
                self._kept.popitem(last=False)
        return rendered


@dataclass(frozen=True, slots=True)
class Library:
    """What a request answers with, from its beginning to its end, shared by all threads.

    ``non_adult`` (n,) bool is False where an anime of the model is for adults only; ``franchises``
    groups the model's anime. Nothing above ``rating_ceiling`` is recommended to anybody.
    ``sources`` and ``details_cache`` outlive the model; ``fragments`` and ``card_parts`` do not.
    """

    model: Model
    catalogue: Catalogue
    sources: Mapping[str, ListSource]
    non_adult: BoolArray
    franchises: Franchises
    details_cache: DetailsCache
    title_index: TitleIndex
    attributes: ItemAttributes
    rating_ceiling: AgeRating | None = None
    fragments: KeptFragments = field(default_factory=lambda: KeptFragments(KEPT_FRAGMENTS))
    card_parts: KeptFragments = field(default_factory=lambda: KeptFragments(KEPT_CARD_PARTS))

    def in_language(self, language: TitleLanguage) -> Library:
        """Return the same library, in which anime are called by their titles in a language."""
        return replace(self, catalogue=self.catalogue.in_language(language))

    def shown_mask(self, *, adult: bool) -> BoolArray:
        """Where an anime may be recommended, (n,) bool, with or without those for adults only."""
        if self.rating_ceiling:
            return self.non_adult & self.attributes.facets.rated_up_to(self.rating_ceiling)
        return np.ones(len(self.model), bool) if adult else self.non_adult.copy()

    def search(self, text: str, limit: int) -> list[Anime]:
        """Find anime by title, the likeliest first."""
        return [self.catalogue.get_anime(n) for n in self.title_index.search(text, limit)]


class DataProviders:
    """The list sources and the caches: the process has them whatever the model.

    Two sites know anime by ids of their own; the catalogue that comes with a model maps them to
    MyAnimeList's.
    """

    def __init__(self, settings: AppSettings, version: str) -> None:
        services = ServiceClients(build_source_settings(settings, version))
        # Their content is replaced in one step.
        self._anilist: UserDict[int, int] = UserDict()
        self._kitsu: UserDict[int, int] = UserDict()
        self.card_cache = CardCache.open(services.settings.shared_storage)
        self.details_cache = build_details_cache(
            services, str(settings.details_url) if settings.details_url else None
        )
        self.sources = build_list_sources(
            services,
            anilist_to_mal=self._anilist,
            kitsu_to_mal=self._kitsu,
            on_details=self.details_cache.store,
        )

    def update_id_maps(self, catalogue: Catalogue) -> None:
        """Map ids as this catalogue does."""
        self._anilist.data = catalogue.mal_ids_by_site_id("anilist")
        self._kitsu.data = catalogue.mal_ids_by_site_id("kitsu")


def load_library(
    path: Path,
    providers: DataProviders,
    rating_ceiling: AgeRating | None = None,
    *,
    is_tried: bool = True,
) -> Library:
    """Open the model at ``path``; ``is_tried``: answer once, so that no visitor waits for that.

    `DataProviders.update_id_maps` is left to whoever takes it into use. Raises ArtifactError,
    ValueError, KeyError: the model or its catalogue cannot be used, or knows no ratings to keep to
    a ceiling by.
    """
    model = Model.open(path)
    catalogue = Catalogue.open(model.catalogue_path)
    title_index = TitleIndex(catalogue, _searchable_ids(catalogue, rating_ceiling))
    if is_tried:
        # This also compiles the kernels; the first visitor must not wait for that.
        try_model(model)
    model_ids = model.anime_id.tolist()
    library = Library(
        model=model,
        catalogue=catalogue,
        sources=providers.sources,
        non_adult=~adult_mask(catalogue, model_ids),
        franchises=read_franchises(catalogue, model_ids),
        details_cache=providers.details_cache,
        title_index=title_index,
        attributes=ItemAttributes.from_catalogue(model, catalogue),
        rating_ceiling=rating_ceiling,
    )
    if rating_ceiling and not library.attributes.facets.has_ratings:
        raise ValueError("HAKKEN_MAX_RATING is set, but the catalogue has too few age ratings")
    if is_tried:
        library.attributes.facets.prepare()
    return library


def _searchable_ids(catalogue: Catalogue, rating_ceiling: AgeRating | None) -> list[int]:
    """Return the anime that a search finds: all that are not for adults, and erotica rated R+.

    A fan has to be able to name what was on television; where there is a ceiling, it is not there.
    """
    ids = catalogue.anime_ids()
    adult = adult_mask(catalogue, ids)
    ratings = catalogue.column_values("age_rating", ids)
    return [
        anime_id
        for anime_id, is_adult, rating in zip(ids, adult.tolist(), ratings, strict=True)
        if not is_adult or (rating == AgeRating.RPLUS and rating_ceiling is None)
    ]
