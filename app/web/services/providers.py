"""What the process has whatever the model: where lists and details come from, and its caches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.catalogue import Catalogue
from app.details import build_details_cache
from app.lists import ServiceClients, build_list_sources
from app.settings import AppSettings
from app.source_config import build_source_settings


class DataProviders:
    """The list sources and the shelf of details, built once.

    Two sites know anime by ids of their own; what these mean stands in the catalogue that comes
    with the model, and is learned from it with `know_ids`.
    """

    def __init__(self, settings: AppSettings, version: str) -> None:
        services = ServiceClients(build_source_settings(settings, version))
        self._anilist, self._kitsu = _SwappableIdMap(), _SwappableIdMap()
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
        """Translate ids as this catalogue does."""
        self._anilist.current = catalogue.mal_ids_by_site_id("anilist")
        self._kitsu.current = catalogue.mal_ids_by_site_id("kitsu")


class _SwappableIdMap(Mapping[int, int]):
    """A mapping that is replaced in one step: ``now`` is what it is."""

    def __init__(self) -> None:
        self.current: dict[int, int] = {}

    def __getitem__(self, foreign: int) -> int:
        return self.current[foreign]

    def __iter__(self) -> Iterator[int]:
        return iter(self.current)

    def __len__(self) -> int:
        return len(self.current)
