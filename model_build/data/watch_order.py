"""In which order a series is watched, and what each of its anime is to another.

What continues comes after what it continues, whatever the dates; else dates decide, and what
retells comes after what it retells. What tells what happened before, but was made after (a film or
OVA at any time, a series ten years later), is no way in: there the dates count.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from model_build.data.relations import Relation, decode_relations
from model_build.data.series import SeriesGroups, group_series
from model_build.data.series_draft import SeriesItem
from model_build.data.title_stems import is_promotion_title, is_recap_title

HINT_COLUMN = "franchise_hint"
SERIES_COLUMNS = (
    *("franchise_id", "watch_order", "is_extra", "is_inferred", "relation_kind", "relation_id"),
)
_SEASONS = {"winter": 0.0, "spring": 0.25, "summer": 0.5, "fall": 0.75}
_END_OF_YEAR = 0.9
"""Of what has no season: films and specials of a year come after the series of that year."""
GUESSED_FROM = 101
"""From how many known years a missing one is guessed: runs of old anime are shorter."""
LATE_YEARS = 10
_EXTRA_TYPES = {"SPECIAL", "TV SPECIAL", "MUSIC", "CM", "PV"}
_TYPE_ORDER = {"TV": 0, "ONA": 1, "MOVIE": 2, "OVA": 3, "TV SPECIAL": 4, "SPECIAL": 5}
MIN_SPECIAL_EPISODES = 4
"""So many episodes shown on television are a short season, though it is called a special."""
_SHOWN_KINDS = ("sequel", "prequel", "summary", "side_story", "alternative", "spin_off")
"""What an anime is to another, what tells most first."""


def add_series(catalogue: pl.DataFrame) -> pl.DataFrame:
    """Find the series of a catalogue, and write them as `SERIES_COLUMNS`.

    ``franchise_id`` is the smallest id of the series, none where an anime is alone;
    ``watch_order`` the place in it, from 0; ``is_extra`` what no one starts with: recaps,
    adverts, specials; ``is_inferred`` whether the title alone says so. The anime is the
    ``relation_kind`` of ``relation_id``. The groups that were in ``franchise_id`` before are
    kept as `HINT_COLUMN`.
    """
    catalogue = catalogue.sort("anime_id").drop(*SERIES_COLUMNS[1:], strict=False)
    if HINT_COLUMN not in catalogue.columns:
        known = "franchise_id" in catalogue.columns
        hint = pl.col("franchise_id") if known else pl.lit(None)
        catalogue = catalogue.with_columns(hint.cast(pl.Int64).alias(HINT_COLUMN))
    items = _read_items(catalogue)
    texts = catalogue["relations"].to_list() if "relations" in catalogue.columns else []
    relations = [
        relation
        for anime_id, text in zip(items, texts, strict=False)
        for relation in decode_relations(anime_id, text)
    ]
    relations = sorted({r for r in relations if r.anime_id in items and r.related_id in items})
    groups = group_series(items, relations)
    rows = describe_series(items, relations, groups)
    types = (pl.Int64, pl.Int32, pl.Boolean, pl.Boolean, pl.String, pl.Int64)
    return catalogue.with_columns(
        pl.Series(name, [row[at] for row in rows], kind)
        for at, (name, kind) in enumerate(zip(SERIES_COLUMNS, types, strict=True))
    )


def ensure_series(catalogue: pl.DataFrame) -> pl.DataFrame:
    """Find the series of a catalogue, unless `add_series` did before."""
    return catalogue if HINT_COLUMN in catalogue.columns else add_series(catalogue)


def _read_items(catalogue: pl.DataFrame) -> dict[int, SeriesItem]:
    """Read what grouping needs; a missing year is guessed."""

    def values(name: str) -> list[Any]:
        empty = [None] * len(catalogue)
        return catalogue[name].to_list() if name in catalogue.columns else empty

    years = values("year")
    columns = ("anime_id", "title", "title_english", "type", "season", "episodes", HINT_COLUMN)
    # A flag counts more than genres: Erotica is a genre of many a series' last OVA, too.
    adult = [
        "Hentai" in (genres or "").split(";") if flag is None else bool(flag)
        for flag, genres in zip(values("adult"), values("genres"), strict=True)
    ]
    rows = zip(*map(values, columns), years, _guess_years(years), adult, strict=True)
    return {
        anime_id: SeriesItem(
            anime_id,
            title,
            english or None,
            (kind or "").upper(),
            (near if year is None else year) + _SEASONS.get(season, _END_OF_YEAR),
            year is not None,
            episodes or 0,
            hint,
            is_adult,
        )
        for anime_id, title, english, kind, season, episodes, hint, year, near, is_adult in rows
    }


def _guess_years(years: Sequence[int | None]) -> list[float]:
    """Read missing years off the anime with the nearest ids, in whose order ``years`` are.

    MyAnimeList numbers anime as they are announced, but adds old ones, too, at any time. So the
    median of many counts, and never one that is earlier than that of smaller ids: of several of a
    series without a year the first announced comes first. All 0 where no year is known.
    """
    at, known = np.arange(len(years)), np.array([year is not None for year in years], bool)
    if not known.any():
        return [0.0] * len(years)
    near = pl.Series(years).drop_nulls().rolling_median(GUESSED_FROM, min_samples=1, center=True)
    return [float(year) for year in np.interp(at, at[known], near.cum_max().to_numpy())]


def describe_series(
    items: Mapping[int, SeriesItem], relations: Sequence[Relation], groups: SeriesGroups
) -> list[tuple[int | None, int | None, bool, bool, str | None, int | None]]:
    """Return for each anime what `SERIES_COLUMNS` hold."""
    members: dict[int, list[int]] = defaultdict(list)
    for anime_id, group in groups.group_id.items():
        members[group].append(anime_id)
    by_group: dict[int, list[Relation]] = defaultdict(list)
    for each in relations:
        if groups.group_id[each.anime_id] == groups.group_id[each.related_id]:
            by_group[groups.group_id[each.anime_id]].append(each)
    extras = find_extras(items, relations)
    place: dict[int, int] = {}
    for group, ids in members.items():
        if len(ids) > 1:
            ordered = watch_order(ids, items, by_group[group], extras)
            place.update((number, at) for at, number in enumerate(ordered))
    shown = _shown_relations(items, relations, groups, place)
    return [
        (
            groups.group_id[number] if number in place else None,
            place.get(number),
            number in extras,
            number in groups.inferred,
            *shown.get(number, (None, None)),
        )
        for number in items
    ]


def watch_order(
    members: Iterable[int],
    items: Mapping[int, SeriesItem],
    relations: Iterable[Relation],
    extras: Collection[int] = (),
) -> list[int]:
    """Return the anime of a series in the order in which they are watched.

    A circle of sequels is opened at its oldest anime. Extras, and films and specials of which no
    one knows the year, do not come before the first of the others; where an order of watching puts
    those is taken for their date.
    """
    relations = list(relations)
    followers: dict[int, set[int]] = {number: set() for number in members}
    for later, kind, earlier in relations:
        sequel = kind == "sequel" and not _is_late_prequel(items, earlier, later)
        if sequel or kind == "summary":
            followers[earlier].add(later)
    date, late = _effective_dates(followers, items, extras)
    date |= _dates_from_relations(items, relations)
    waiting = dict.fromkeys(followers, 0) | Counter(itertools.chain(*followers.values()))

    def priority(number: int) -> tuple[float, bool, int, int]:
        kind = _TYPE_ORDER.get(items[number].type, len(_TYPE_ORDER))
        return date[number], number in late, kind, number

    def oldest(number: int) -> tuple[float, int]:
        return items[number].date, number

    ready = [priority(number) for number, count in waiting.items() if not count]
    heapq.heapify(ready)
    ordered: list[int] = []
    while waiting:
        # In a circle nothing is ready.
        number = heapq.heappop(ready)[-1] if ready else min(waiting, key=oldest)
        if number not in waiting:
            continue
        del waiting[number]
        ordered.append(number)
        for follower in followers[number] & waiting.keys():
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, priority(follower))
    return ordered


def _is_late_prequel(items: Mapping[int, SeriesItem], earlier: int, later: int) -> bool:
    """Whether a prequel was made after the series that it leads to, a series long after."""
    prequel, series = items[earlier], items[later]
    gap = LATE_YEARS if prequel.is_root or not series.is_root else 0
    return prequel.date > series.date + gap


def _effective_dates(
    followers: Mapping[int, set[int]], items: Mapping[int, SeriesItem], extras: Collection[int]
) -> tuple[dict[int, float], set[int]]:
    """Return dates to order by, and what comes last among those of one date.

    What must come before something older has that one's date: else an old film would come before a
    series, only because that waits for a new one.
    """
    date = {number: items[number].date for number in followers}
    for _ in followers:  # at most as often as the longest chain is long
        for number, later_ones in followers.items():
            date[number] = min([date[number], *(date[each] for each in later_ones)])
    late = {n for n in date if n in extras or not (items[n].is_dated or items[n].is_root)}
    first = min((date[number] for number in date.keys() - late), default=0.0)
    return date | {number: max(date[number], first) for number in late}, late


def _dates_from_relations(
    items: Mapping[int, SeriesItem], relations: Iterable[Relation]
) -> dict[int, float]:
    """Return for what has no date the date of what it is watched after."""
    return {
        later: items[earlier].date
        for later, kind, earlier in sorted(relations)
        if kind == "watch_next" and not items[later].is_dated and items[earlier].is_dated
    }


def find_extras(items: Mapping[int, SeriesItem], relations: Collection[Relation]) -> set[int]:
    """Return what nobody starts with: what retells, adverts, music videos, specials.

    A special that continues a series is part of the story, unless a series goes on beside or after
    it; so is one of television with `MIN_SPECIAL_EPISODES` or more.
    """
    retelling = {r.anime_id for r in relations if r.kind == "summary"}
    sequels = [(r.related_id, r.anime_id) for r in relations if r.kind == "sequel"]
    led_on = {earlier for earlier, later in sequels if items[later].is_root}
    told_on = {
        later
        for earlier, later in sequels
        if later not in led_on and earlier not in led_on and items[earlier].type not in _EXTRA_TYPES
    }
    told_on |= {
        earlier
        for earlier, later in sequels
        if earlier not in led_on and items[later].type not in _EXTRA_TYPES
    }
    extras = set()
    for number, item in items.items():
        if number in retelling or is_recap_title(item.title) or is_promotion_title(item.title):
            extras.add(number)
        elif item.type in _EXTRA_TYPES and number not in told_on:
            long = item.type == "TV SPECIAL" and item.episodes >= MIN_SPECIAL_EPISODES
            if not long:
                extras.add(number)
    return extras


def _shown_relations(
    items: Mapping[int, SeriesItem],
    relations: Iterable[Relation],
    groups: SeriesGroups,
    place: Mapping[int, int],
) -> dict[int, tuple[str, int]]:
    """Return for each anime the one thing to say: what it is to which other.

    Of several anime that it continues, the last in the order; of two versions the later says it.
    """
    found: dict[int, tuple[tuple[int, ...], str, int]] = {}

    def offer(anime_id: int, kind: str, other: int) -> None:
        same = groups.group_id[anime_id] == groups.group_id[other]
        if kind not in _SHOWN_KINDS or not (same or kind in ("alternative", "spin_off")):
            return
        nearness = place.get(other, 0) if kind == "sequel" else -place.get(other, 0)
        rank = (_SHOWN_KINDS.index(kind), -nearness, other)
        if anime_id not in found or rank < found[anime_id][0]:
            found[anime_id] = (rank, kind, other)

    for anime_id, kind, other in relations:
        if kind == "alternative":
            older, younger = sorted((anime_id, other), key=lambda n: (items[n].date, n))
            offer(younger, kind, older)
        elif kind == "sequel" and place.get(anime_id, 0) < place.get(other, 0):
            offer(other, "prequel", anime_id)
        else:
            offer(anime_id, kind, other)
    return {anime_id: (kind, other) for anime_id, (_, kind, other) in found.items()}
