"""What the process holds: settings, and the library of model, catalogue and list sources."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from flask import current_app

from app.catalogue import Catalogue, franchises_of
from app.details import Shelf, build_shelf
from app.lists import PACES, Services, Source, SourceSettings, Spans, build_sources
from app.model_store import locate_model
from app.recommender import (
    ArtifactError,
    Franchises,
    Listed,
    Model,
    Order,
    Status,
    Wish,
    recommend,
)
from app.search import TitleIndex
from app.settings import Settings
from app.upstream import Shared
from app.web.filters import Facts

log = logging.getLogger(__name__)

ADULT_GENRE = "Hentai"


class ModelMissing(Exception):  # noqa: N818 -- it names the state, not a mistake
    """There is no model to answer with."""


@dataclass(frozen=True, slots=True)
class Library:
    """Everything that an answer needs, opened once and shared by all threads.

    ``suitable`` (n,) bool is False where an anime of the model is for adults only; ``franchises``
    groups the model's anime.
    """

    model: Model
    catalogue: Catalogue
    sources: Mapping[str, Source]
    suitable: npt.NDArray[np.bool_]
    franchises: Franchises
    details: Shelf
    titles: TitleIndex
    facts: Facts


@dataclass(frozen=True, slots=True)
class Hakken:
    """``app.extensions["hakken"]``. Without a ``library``, ``fault`` says in one line why."""

    settings: Settings
    version: str
    library: Library | None
    fault: str | None = None


def open_hakken(settings: Settings, version: str) -> Hakken:
    """Open the library; a model that cannot be used is logged and remembered as the fault."""
    try:
        return Hakken(settings, version, _open_library(settings, version))
    except (ArtifactError, OSError, ValueError, KeyError) as error:
        fault = " ".join(str(error).split()) or type(error).__name__
        log.error("the model %s cannot be used: %s", settings.model, fault)  # noqa: TRY400
        return Hakken(settings, version, None, fault)


def hakken() -> Hakken:
    """What the current application holds."""
    return cast("Hakken", current_app.extensions["hakken"])


def library() -> Library:
    """The library of the current application.

    Raises:
        ModelMissing: it could not be opened.
    """
    found = hakken().library
    if found is None:
        raise ModelMissing("Hakken is being updated: come back in a few minutes.")
    return found


def _open_library(settings: Settings, version: str) -> Library:
    model = Model.open(locate_model(settings.model, settings.model_cache_dir))
    catalogue = Catalogue.open(model.catalogue_path)
    services = Services(_source_settings(settings, version))
    details = build_shelf(services, str(settings.details_url) if settings.details_url else None)
    sources = build_sources(
        services,
        anilist_to_mal=catalogue.ids_from("anilist"),
        kitsu_to_mal=catalogue.ids_from("kitsu"),
        learn=details.learn,
    )
    titles = TitleIndex(catalogue, _for_everybody(catalogue))
    # The first call compiles the kernels; the first visitor must not wait for that.
    for order in Order:
        one = Listed.of([(int(model.anime_id[0]), 8.0, Status.COMPLETED)])
        recommend(model, one, Wish(top=1, order=order))
    franchises = franchises_of(catalogue, model.anime_id.tolist())
    suitable = _suitable(model, catalogue)
    facts = Facts.of(model, catalogue)
    return Library(model, catalogue, sources, suitable, franchises, details, titles, facts)


def _source_settings(settings: Settings, version: str) -> SourceSettings:
    return SourceSettings(
        version=version,
        public_url=str(settings.public_url) if settings.public_url else None,
        mal_client_id=settings.mal_client_id,
        mal_web=settings.mal_web,
        mal_url=str(settings.mal_url),
        mal_web_url=str(settings.mal_web_url),
        anilist_url=str(settings.anilist_url),
        kitsu_url=str(settings.kitsu_url),
        jikan_url=str(settings.jikan_url) if settings.jikan_url else None,
        shikimori_url=str(settings.shikimori_url),
        max_entries=settings.max_list_length,
        deadline_s=settings.list_deadline,
        paces=PACES if settings.limits else {},
        spans=Spans(settings.list_cache, settings.list_stale),
        shared=Shared(settings.shared_dir, settings.cache_url),
    )


def _suitable(model: Model, catalogue: Catalogue) -> npt.NDArray[np.bool_]:
    return ~np.array(_adult(catalogue, model.anime_id.tolist()), bool)


def _for_everybody(catalogue: Catalogue) -> list[int]:
    """Ids of all anime of the catalogue that are not for adults only."""
    ids = catalogue.ids()
    return [
        anime_id for anime_id, adult in zip(ids, _adult(catalogue, ids), strict=True) if not adult
    ]


def _adult(catalogue: Catalogue, ids: Sequence[int]) -> list[bool]:
    flags, genres = catalogue.column("adult", ids), catalogue.column("genres", ids)
    return [
        bool(flag) or ADULT_GENRE in (names or "").split(";")
        for flag, names in zip(flags, genres, strict=True)
    ]
