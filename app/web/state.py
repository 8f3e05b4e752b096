"""What the process holds: settings, and the library of model, catalogue and list sources."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from flask import current_app

from app.catalogue import Catalogue, franchises_of
from app.lists import Source, SourceSettings, build_sources
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
from app.settings import Settings

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
    sources = build_sources(
        SourceSettings(
            version=version,
            public_url=str(settings.public_url) if settings.public_url else None,
            anilist_url=str(settings.anilist_url),
            max_entries=settings.max_list_length,
            deadline_s=settings.list_deadline,
        ),
        anilist_to_mal=catalogue.ids_from("anilist"),
    )
    # The first call compiles the kernels; the first visitor must not wait for that.
    for order in Order:
        one = Listed.of([(int(model.anime_id[0]), 8.0, Status.COMPLETED)])
        recommend(model, one, Wish(top=1, order=order))
    franchises = franchises_of(catalogue, model.anime_id.tolist())
    return Library(model, catalogue, sources, _suitable(model, catalogue), franchises)


def _suitable(model: Model, catalogue: Catalogue) -> npt.NDArray[np.bool_]:
    ids = model.anime_id.tolist()
    flags, genres = catalogue.column("adult", ids), catalogue.column("genres", ids)
    adult = [
        bool(flag) or ADULT_GENRE in (names or "").split(";")
        for flag, names in zip(flags, genres, strict=True)
    ]
    return ~np.array(adult, bool)
