"""The library: everything that an answer needs and that comes with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.catalogue import Catalogue, franchises_of
from app.details import Shelf
from app.lists import Source
from app.recommender import Franchises, Listed, Model, Order, Status, Wish, recommend
from app.search import TitleIndex
from app.web.filters import Facts
from app.web.providers import Providers

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
    sources: Mapping[str, Source]
    suitable: npt.NDArray[np.bool_]
    franchises: Franchises
    details: Shelf
    titles: TitleIndex
    facts: Facts


def open_library(path: Path, providers: Providers) -> Library:
    """Open the model at ``path`` and answer once with it, so that no visitor waits for that.

    Raises:
        ArtifactError, ValueError, KeyError: the model or its catalogue cannot be used.
    """
    model = Model.open(path)
    catalogue = Catalogue.open(model.catalogue_path)
    titles = TitleIndex(catalogue, _for_everybody(catalogue))
    # The first call compiles the kernels; the first visitor must not wait for that.
    for order in Order:
        one = Listed.of([(int(model.anime_id[0]), 8.0, Status.COMPLETED)])
        recommend(model, one, Wish(top=1, order=order))
    franchises = franchises_of(catalogue, model.anime_id.tolist())
    suitable = _suitable(model, catalogue)
    facts = Facts.of(model, catalogue)
    # Last, for this is seen by requests with the model before, too.
    providers.know_ids(catalogue)
    return Library(
        model, catalogue, providers.sources, suitable, franchises, providers.details, titles, facts
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
