"""Lists of clear taste and what a model recommends for them, for a person to read.

Whoever knows anime sees at once whether the picks for `tastes.toml` make sense, which no measure
says. They are what a visitor with such a list gets who chooses nothing but the order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.age_rating import CHILDREN_CEILING
from app.catalogue import Anime, Catalogue, read_franchises
from app.facets import ItemFacets, adult_mask
from app.recommender import Model, RecommendOptions, SortOrder, UserList, WatchStatus, recommend
from app.recommender.fold_in import fold_in
from app.recommender.recommend import RecommendedItem
from model_build.util.errors import InputError, read_file

DEFAULT_FILE = Path(__file__).with_name("tastes.toml")
N_PICKS = 10
MIN_KNOWN_SHARE = 0.5
MIN_SCORE, MAX_SCORE = 1, 10

TasteLists = dict[str, dict[int, list[int]]]
"""Of each list, by name, the ids of the anime by score."""


class TastePick(NamedTuple):
    """One recommendation; ``reason`` is what it continues, or the first title that speaks for it.

    Empty where nothing does.
    """

    anime: Anime
    item: RecommendedItem
    reason: str


@dataclass(frozen=True, slots=True)
class TasteTable:
    """One list: its titles with their scores, and the picks by order."""

    name: str
    entries: list[tuple[str, int]]
    picks: dict[str, list[TastePick]]


def read_tastes(path: Path = DEFAULT_FILE) -> TasteLists:
    """Read lists from a TOML file: a table each, of arrays of anime ids by score."""
    found = read_file(path, "TOML", tomllib.loads)
    return {name: _read_list(path, name, scores) for name, scores in found.items()}


def _read_list(path: Path, name: str, scores: object) -> dict[int, list[int]]:
    """Check one list."""
    read = {}
    for score, ids in scores.items() if isinstance(scores, dict) else [("", None)]:
        is_score = score.isdecimal() and MIN_SCORE <= int(score) <= MAX_SCORE
        if not is_score or not isinstance(ids, list) or not all(type(n) is int for n in ids):
            raise InputError(
                f"{path}: {name}: expected arrays of anime ids by score, as 9 = [457, 477]."
            )
        read[int(score)] = ids
    return read


def taste_tables(
    model: Model, catalogue: Catalogue, tastes: Mapping[str, Mapping[int, Sequence[int]]]
) -> list[TasteTable]:
    """Recommend for each list in each order; without lists of which the model knows too little."""
    options = RecommendOptions(
        top_n=N_PICKS, franchises=read_franchises(catalogue, model.anime_id.tolist())
    )
    facets = ItemFacets(model, catalogue)
    not_adult = ~adult_mask(catalogue, model.anime_id.tolist())
    tables = []
    for name, scores in tastes.items():
        rows = [(anime, score) for score, ids in scores.items() for anime in ids]
        ids = np.array([anime for anime, _ in rows], np.int64)
        known = model.find_positions(ids) >= 0
        if not len(known) or known.mean() < MIN_KNOWN_SHARE:
            continue
        user = UserList.from_entries(
            [(anime, float(score), WatchStatus.COMPLETED) for anime, score in rows]
        )
        # What a visitor with this list is shown who asks for nothing.
        allowed = not_adult
        if facets.is_childrens_list(fold_in(model, user).seen):
            allowed = not_adult & facets.rated_up_to(CHILDREN_CEILING)
        picks = {}
        for order in SortOrder:
            wish = replace(options, sort_order=order, allowed_mask=allowed)
            found = recommend(model, user, wish).recommendations
            picks[order.value] = [_taste_pick(item, catalogue) for item in found]
        entries = [(catalogue.title(anime), score) for anime, score in rows]
        tables.append(TasteTable(name.replace("_", " "), entries, picks))
    return tables


def _taste_pick(item: RecommendedItem, catalogue: Catalogue) -> TastePick:
    reason = ""
    if item.follows is not None:
        reason = f"next after {catalogue.title(item.follows)}"
    elif item.contributions:
        reason = catalogue.title(item.contributions[0].anime_id)
    return TastePick(catalogue.get_anime(item.anime_id), item, reason)
