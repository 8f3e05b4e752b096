"""Age ratings: those that are known in one spelling, the others inferred.

A rating is known for one anime in seven of those that people watch. Of the others it is that of its
relatives (sequels, side stories, recaps), the strictest that is known, which is right for 97 of a
hundred; where none is known, it is read off the genres, themes, tags and type, by logistic
regressions on the anime whose rating is known. `scripts/fit_age_ratings` fits and measures them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from app.age_rating import ADULT_GENRES, AgeRating

WEIGHTS_FILE = Path(__file__).with_name("age_rating_weights.json")
MIN_PROBABILITY = {AgeRating.PG: 0.5, AgeRating.R17: 0.2, AgeRating.RPLUS: 0.2}
"""How likely it must be that an anime is for children, from R on, or R+. Taking an R title for
PG-13 is worse than the other way round."""
WORD_COLUMNS = ("genres", "themes", "demographics", "tags")
RELATIVES = frozenset(
    {"sequel", "prequel", "side_story", "parent_story", "summary", "full_story", "alternative"}
)
"""Kinds of relations between anime that are rated alike."""
EXPLICIT_TAGS = frozenset(
    {
        *("Ahegao", "Cunnilingus", "Exhibitionism", "Fellatio", "Group Sex", "Handjob"),
        *("Irrumatio", "Nakadashi", "Public Sex", "Scissoring", "Sex Toys"),
    }
)
MIN_EXPLICIT_TAGS = 2
"""An R+ title with so many of them is for adults only; one alone is often a joke's."""
_SPELLINGS = {
    **{rating.value: rating for rating in AgeRating},
    **{rating.label.lower(): rating for rating in AgeRating},
    "pg_13": AgeRating.PG13,
    "r - 17+": AgeRating.R17,
}


class RatedAnime(NamedTuple):
    """The rating of an anime, None where nothing is known of it, and whether it was inferred."""

    rating: AgeRating | None
    is_inferred: bool
    is_adult: bool


def read_rating(text: str | None) -> AgeRating | None:
    """Read a rating in the spellings of MyAnimeList's pages and of its API.

    >>> read_rating("R - 17+ (violence & profanity)"), read_rating("PG-13 - Teens 13 or older")
    (<AgeRating.R17: 'r17'>, <AgeRating.PG13: 'pg13'>)
    """
    text = (text or "").strip().lower()
    return _SPELLINGS.get(text) or _SPELLINGS.get(text.split(" - ")[0])


def rate_catalogue(frame: pl.DataFrame) -> list[RatedAnime]:
    """Rate every anime of a table, by its columns of words, relations and known ratings."""
    ids = frame["anime_id"].to_list()
    known = [read_rating(text) for text in _texts(frame, "age_rating")]
    rating_by_id = {n: rating for n, rating in zip(ids, known, strict=True) if rating}
    kinds = _texts(frame, "type")
    relations = _texts(frame, "relations")
    columns = [_texts(frame, name) for name in WORD_COLUMNS]
    adult = frame["adult"].to_list() if "adult" in frame.columns else [False] * len(frame)
    found = []
    for at, rating in enumerate(known):
        labels = [word for column in columns for word in column[at].split(";") if word]
        inferred = rating
        if rating is None and (adult[at] or "Hentai" in labels):
            inferred = AgeRating.RX
        elif rating is None:
            near = related_rating(relations[at], rating_by_id)
            inferred = near or infer_rating(labels, kinds[at])
        is_adult = bool(adult[at]) or is_for_adults(inferred, labels)
        found.append(RatedAnime(inferred, rating is None and inferred is not None, is_adult))
    return found


def related_rating(relations: str, rating_by_id: Mapping[int, AgeRating]) -> AgeRating | None:
    """Return the strictest known rating of an anime's relatives, given as "kind:id;kind:id"."""
    pairs = (pair.partition(":") for pair in relations.split(";") if pair)
    related = (rating_by_id.get(int(other)) for kind, _, other in pairs if kind in RELATIVES)
    return max(filter(None, related), key=lambda rating: rating.level, default=None)


def infer_rating(labels: Sequence[str], kind: str) -> AgeRating | None:
    """Infer a rating from genres, themes, demographics, tags and type; None without any of them."""
    if not labels:
        return None
    words = {*map(str.lower, labels), f"type:{kind.lower()}"}
    if ADULT_GENRES & set(labels) or _is_likely(AgeRating.RPLUS, words):
        return AgeRating.RPLUS
    if _is_likely(AgeRating.R17, words):
        return AgeRating.R17
    return AgeRating.PG if _is_likely(AgeRating.PG, words) else AgeRating.PG13


def is_for_adults(rating: AgeRating | None, labels: Iterable[str]) -> bool:
    """Tell whether an anime is for adults only: by rating, by genre, or by what its tags show."""
    words = set(labels)
    if rating is AgeRating.RX or words & ADULT_GENRES:
        return True
    return rating is AgeRating.RPLUS and len(words & EXPLICIT_TAGS) >= MIN_EXPLICIT_TAGS


def _is_likely(rating: AgeRating, words: Iterable[str]) -> bool:
    weights = _weights()[rating]
    total = weights[""] + sum(weights.get(word, 0.0) for word in words)
    return 1.0 / (1.0 + math.exp(-total)) >= MIN_PROBABILITY[rating]


@cache
def _weights() -> dict[AgeRating, dict[str, float]]:
    read = json.loads(WEIGHTS_FILE.read_text("utf-8"))
    return {AgeRating(name): weights for name, weights in read.items()}


def _texts(frame: pl.DataFrame, name: str) -> list[str]:
    if name not in frame.columns:
        return [""] * len(frame)
    return [text or "" for text in frame[name].cast(pl.String).to_list()]
