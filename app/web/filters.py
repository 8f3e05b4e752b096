"""The filters above the results: which anime each leaves in, and how to say so.

Popularity: the slider goes from -5 to 5. `SHARES` of the model's anime, those on the most lists,
are the hits: to the left of 0 nothing else is shown, to the right of 0 they are left out. With
14,000 anime that is, from the middle outwards, the 2,100 / 1,120 / 560 / 280 / 140 best known to
the left, and everything but the 140 / 280 / 560 / 1,120 / 2,100 best known to the right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.catalogue import Catalogue
from app.recommender import Franchises, Model
from app.web.options import BadQuery, Options, Planned, Type
from app.web.values import slug

SHARES = (0.01, 0.02, 0.04, 0.08, 0.15)
FOR_ADULTS = frozenset({"hentai", "erotica"})
"""Genres that are not named unless adult anime are asked for."""
TYPE_NAMES = {
    Type.TV: "TV",
    Type.MOVIE: "Films",
    Type.OVA: "OVA",
    Type.ONA: "Web (ONA)",
    Type.SPECIAL: "Specials",
    Type.MUSIC: "Music",
}
_TYPES = {**{kind.value: kind for kind in Type}, "tv special": Type.SPECIAL}

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What filters look at, parallel to the model's n anime; years and episodes 0 if unknown.

    ``genres`` are positions by the genre's slug, ``genre_names`` its names, the most frequent
    first; ``rank`` (n,) is 0 for the anime on most lists.
    """

    kind: npt.NDArray[np.object_]
    year: npt.NDArray[np.int32]
    episodes: npt.NDArray[np.int32]
    genres: Mapping[str, npt.NDArray[np.int64]]
    genre_names: Mapping[str, str]
    rank: npt.NDArray[np.int64]

    @classmethod
    def of(cls, model: Model, catalogue: Catalogue) -> Facts:
        """Look the model's anime up in the catalogue."""
        ids = model.anime_id.tolist()
        where: dict[str, list[int]] = {}
        for at, names in enumerate(catalogue.column("genres", ids)):
            for name in filter(None, (names or "").split(";")):
                where.setdefault(name, []).append(at)
        names = sorted(where, key=lambda name: -len(where[name]))
        kinds = [_TYPES.get((kind or "").casefold()) for kind in catalogue.column("type", ids)]
        rank = np.empty(len(model), np.int64)
        rank[model.popularity_order] = np.arange(len(model))
        return cls(
            kind=np.array(kinds, object),
            year=np.array([y or 0 for y in catalogue.column("year", ids)], np.int32),
            episodes=np.array([n or 0 for n in catalogue.column("episodes", ids)], np.int32),
            genres={slug(name): np.array(where[name]) for name in names},
            genre_names={slug(name): name for name in names},
            rank=rank,
        )

    def has(self, genre: str) -> Mask:
        """Where an anime is of this genre."""
        mask = np.zeros(len(self.rank), bool)
        mask[self.genres[genre]] = True
        return mask


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter that is on: ``names`` are its options, ``off`` the options without it."""

    names: tuple[str, ...]
    label: str
    off: Options
    mask: Mask


def hits(slider: int, count: int) -> int:
    """How many of ``count`` anime are hits at this place of the slider."""
    if slider == 0:
        return 0
    # Both ends are the strictest.
    share = SHARES[slider - 1] if slider > 0 else SHARES[len(SHARES) + slider]
    return math.ceil(share * count)


def filters_on(
    facts: Facts, franchises: Franchises, seen: Positions, planned: Positions, options: Options
) -> list[Filter]:
    """The filters that these options switch on, for who has seen and plans these anime.

    Raises:
        BadQuery: a genre that no anime has.
    """
    found: list[Filter] = []

    def add(label: str, mask: Mask, *names: str, **off: Any) -> None:
        default = {name: Options.model_fields[name].default for name in names}
        found.append(Filter(names, label, options.but(**(default | off)), mask))

    if options.type:
        kinds = [TYPE_NAMES[kind] for kind in options.type]
        add(f"Type: {_or(kinds)}", np.isin(facts.kind.astype(str), list(options.type)), "type")
    for name in options.genre:
        label, rest = _genre(facts, "genre", name), tuple(g for g in options.genre if g != name)
        add(label, facts.has(name), "genre", genre=rest)
    for name in options.without:
        label, rest = _genre(facts, "without", name), tuple(g for g in options.without if g != name)
        add(f"No {label}", ~facts.has(name), "without", without=rest)
    if options.year_from or options.year_to:
        add(
            _range(options.year_from, options.year_to, "From {}", "Up to {}", "{} to {}"),
            _between(facts.year, options.year_from, options.year_to),
            "year_from",
            "year_to",
        )
    if options.min_episodes or options.max_episodes:
        least, most = options.min_episodes, options.max_episodes
        told = _range(least, most, "At least {}", "At most {}", "{} to {}")
        one = (most or least) == 1
        add(
            f"{told} episode{'' if one else 's'}",
            _between(facts.episodes, least, most),
            "min_episodes",
            "max_episodes",
        )
    if options.popularity:
        best = hits(options.popularity, len(facts.rank))
        hit = facts.rank < best
        told = popularity_label(options.popularity, len(facts.rank))
        add(told, hit if options.popularity < 0 else ~hit, "popularity")
    if options.new_series:
        add("No sequels and spin-offs", ~franchises.seen(seen), "new_series")
    if options.planned is Planned.ONLY:
        add("Only what you plan to watch", _where(len(facts.rank), planned), "planned")
    return found


def popularity_label(slider: int, count: int) -> str:
    """What a place of the slider means."""
    best = hits(slider, count)
    if slider == 0:
        return "Everything, known or not"
    return f"Only the {best:,} best known" if slider < 0 else f"Without the {best:,} best known"


def hidden(model: Model, franchises: Franchises, positions: npt.NDArray[np.int64]) -> Mask:
    """Where an anime, or another of its series, is hidden as not for this fan."""
    known = positions[positions >= 0]
    return franchises.seen(known) | _where(len(model), known)


def _where(count: int, positions: npt.NDArray[np.int64]) -> Mask:
    mask = np.zeros(count, bool)
    mask[positions] = True
    return mask


def _between(value: npt.NDArray[np.int32], least: int | None, most: int | None) -> Mask:
    known = value > 0
    return known & (value >= (least or 0)) & (value <= (most or np.iinfo(np.int32).max))


def _genre(facts: Facts, option: str, name: str) -> str:
    if name not in facts.genre_names:
        some = ", ".join(list(facts.genre_names)[:12])
        raise BadQuery(option, f"“{option}” should be genres that Hakken knows, such as {some}.")
    return facts.genre_names[name]


def _range(least: int | None, most: int | None, only_least: str, only_most: str, both: str) -> str:
    if least and most:
        return str(least) if least == most else both.format(least, most)
    return only_least.format(least) if least else only_most.format(most)


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
