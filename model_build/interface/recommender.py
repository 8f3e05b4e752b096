"""A model as a Python object: lists in, recommendations out, as DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.age_rating import CHILDREN_CEILING
from app.catalogue import Catalogue, read_franchises
from app.facets import ItemFacets
from app.recommender import Model, RecommendOptions, SortOrder, recommend
from app.recommender.array_types import BoolArray
from app.recommender.engines import EngineName
from app.recommender.similar_items import similar_items, similarity_sources
from model_build.artifact.pretrained import BUNDLED_SOURCE, resolve_model_ref
from model_build.interface.config import PickOptions, checked_options
from model_build.interface.dataframes import (
    Library,
    default_library,
    library_of,
    read_list,
    read_ratings_table,
    to_frame,
)
from model_build.interface.filters import find_word
from model_build.train.config import TrainConfig
from model_build.train.job import train as train_files
from model_build.util.errors import InputError
from model_build.util.temporary_folders import temporary_folder

ABOUT = ("anime_id", "title", "type", "year", "genres")
PICKS = ("rank", *ABOUT, "match", "predicted_score", "expected_score", "because")


class Recommender:
    """An opened model.

    Its methods take a list as a DataFrame of pandas or polars and answer with one of the same
    library. The list has the columns ``anime_id`` (MyAnimeList's number), ``score`` (1 to 10; 0 or
    missing: not scored) and, if there is one, ``status`` (``completed``, ``dropped`` ... or
    MyAnimeList's codes).
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.catalogue = Catalogue.open(model.catalogue_path)
        self._facets = ItemFacets(model, self.catalogue)
        self._franchises = read_franchises(self.catalogue, model.anime_id.tolist())

    @classmethod
    def open(cls, place: str | Path = BUNDLED_SOURCE, version: str | None = None) -> Recommender:
        """Open a model: the bundled one, or one at a directory, ``gs://``, ``s3://`` or ``hf://``.

        Raises
        ------
        ArtifactError
            There is none, or it is damaged.
        """
        return cls(Model.open(resolve_model_ref(str(place), version).fetch(True)))

    def recommend(
        self,
        user_list: Any,
        *,
        top: int = 20,
        order: str = "match",
        engine: str = "hakken",
        genres: Sequence[str] = (),
        types: Sequence[str] = (),
        adult: bool = False,
        min_score: float | None = None,
    ) -> Any:
        """Recommend for one list: a row an anime, best first, with the columns `PICKS`.

        ``order`` is match, score or discover; ``engine`` one that the model has. Shown are anime of
        all the ``genres`` (themes and demographics count) and any of the ``types``; a children's
        list gets nothing above PG-13. ``because`` names the titles of the list that speak most.

        Raises
        ------
        InputError
            The list cannot be used; row and column are named. Or an argument cannot.
        """
        options = checked_options(PickOptions, top=top, min_score=min_score)
        library, entries = library_of(user_list), read_list(user_list)
        allowed = self._shown(adult=adult) & self._of_kind(genres, types)
        listed = self.model.find_positions(entries.anime_id)
        if not adult and self._facets.is_childrens_list(listed[listed >= 0]):
            allowed &= self._facets.rated_up_to(CHILDREN_CEILING)
        answer = recommend(
            self.model,
            entries,
            RecommendOptions(
                top_n=options.top,
                sort_order=_one_of(SortOrder, "order", order),
                engine=self._engine(engine),
                franchises=self._franchises,
                allowed_mask=allowed,
                min_score=options.min_score,
            ),
        )
        rows = [
            {
                "rank": item.rank,
                **self._about(item.anime_id),
                "match": item.match,
                "predicted_score": item.predicted_score,
                "expected_score": item.expected_score,
                "because": "; ".join(
                    self.catalogue.title(reason.anime_id) for reason in item.contributions
                ),
            }
            for item in answer.recommendations
        ]
        return to_frame(rows, PICKS, library)

    def similar(
        self,
        anime_id: int,
        *,
        by: str = "affinity",
        top: int = 10,
        adult: bool = False,
        library: Library | None = None,
    ) -> Any:
        """Anime like one, by ``affinity``, ``similarity`` or an engine, with their ``likeness``.

        Raises
        ------
        InputError
            The model does not know the anime, or has nothing of that name to go by; or ``top`` is
            no number of anime.
        """
        count = checked_options(PickOptions, top=top).top
        sources = similarity_sources(self.model)
        if by not in sources:
            raise InputError(f"by={by!r}: this model has {', '.join(sources)}.")
        at = int(self.model.find_positions(np.array([anime_id], np.int64))[0])
        if at < 0:
            raise InputError(f"anime {anime_id}: model {self.model.version} does not know it.")
        found = similar_items(self.model, by, at, count=count, allowed=self._shown(adult=adult))
        rows = [
            {"rank": rank, **self._about(int(self.model.anime_id[other])), "likeness": likeness}
            for rank, (other, likeness) in enumerate(found, 1)
        ]
        return to_frame(rows, ("rank", *ABOUT, "likeness"), library or default_library())

    def _about(self, anime_id: int) -> dict[str, object]:
        anime = self.catalogue.get_anime(anime_id)
        return {
            "anime_id": anime_id,
            "title": anime.title,
            "type": anime.type,
            "year": anime.year,
            "genres": "; ".join(anime.genres),
        }

    def _engine(self, name: str) -> EngineName:
        engines = (EngineName.HAKKEN, *self.model.engines)
        if name not in engines:
            raise InputError(f"engine={name!r}: this model has {', '.join(engines)}.")
        return EngineName(name)

    def _of_kind(self, genres: Sequence[str], types: Sequence[str]) -> BoolArray:
        found = np.ones(len(self.model), bool)
        for name in genres:
            slug = find_word(self._facets.genre, f"genres: {name!r}", name, "catalogue")
            found &= self._facets.genre.mask(slug)
        if types:
            kinds = self._facets.media_type
            found &= kinds.mask(
                *(find_word(kinds, f"types: {name!r}", name, "catalogue") for name in types)
            )
        return found

    def _shown(self, *, adult: bool) -> BoolArray:
        ids = self.model.anime_id.tolist()
        flagged = np.array(self.catalogue.column_values("adult", ids), bool)
        return np.ones(len(ids), bool) if adult else ~flagged


def train(
    ratings: Any, out: str | Path, *, catalogue: str | Path | None = None, **settings: Any
) -> Recommender:
    """Train a model, write it to ``out`` and open it.

    Parameters
    ----------
    ratings
        A DataFrame with the columns ``user_id``, ``anime_id``, ``score`` and, if there is one,
        ``status``; or a ``surprise.Dataset`` or ``Trainset`` with MyAnimeList's numbers as items.
    catalogue
        A file of facts about anime, CSV or Parquet; without one anime have no titles.
    settings
        Options of the command ``train``, with ``_`` for ``-``: ``shrinkage=80``, ``k=40``.

    Raises
    ------
    InputError
        The ratings or a setting cannot be used.
    """
    table = read_ratings_table(ratings)
    with temporary_folder() as folder:
        file = folder / "ratings.parquet"
        table.write_parquet(file)
        if catalogue is not None:
            settings["catalogue"] = Path(catalogue)
        options = {"ratings": (str(file),), "out": Path(out), **settings}
        train_files(checked_options(TrainConfig, **options))
    return Recommender.open(out)


def _one_of(kind: type[SortOrder], name: str, value: str) -> SortOrder:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{name}={value!r}: expected one of {', '.join(kind)}.") from None
