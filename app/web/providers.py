"""What the process has whatever the model: where lists and details come from, and its caches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.catalogue import Catalogue
from app.details import build_shelf
from app.lists import Services, build_sources
from app.services import source_settings
from app.settings import Settings


class Providers:
    """The list sources and the shelf of details, built once.

    Two sites know anime by ids of their own; what these mean stands in the catalogue that comes
    with the model, and is learned from it with `know_ids`.
    """

    def __init__(self, settings: Settings, version: str) -> None:
        services = Services(source_settings(settings, version))
        self._anilist, self._kitsu = _Ids(), _Ids()
        self.details = build_shelf(
            services, str(settings.details_url) if settings.details_url else None
        )
        self.sources = build_sources(
            services,
            anilist_to_mal=self._anilist,
            kitsu_to_mal=self._kitsu,
            learn=self.details.learn,
        )

    def know_ids(self, catalogue: Catalogue) -> None:
        """Translate ids as this catalogue does."""
        self._anilist.now = catalogue.ids_from("anilist")
        self._kitsu.now = catalogue.ids_from("kitsu")


class _Ids(Mapping[int, int]):
    """A mapping that is replaced in one step: ``now`` is what it is."""

    def __init__(self) -> None:
        self.now: dict[int, int] = {}

    def __getitem__(self, foreign: int) -> int:
        return self.now[foreign]

    def __iter__(self) -> Iterator[int]:
        return iter(self.now)

    def __len__(self) -> int:
        return len(self.now)
