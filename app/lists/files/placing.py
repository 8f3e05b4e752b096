"""Which anime the rows of a file are about: by number, by the ids of other sites, by title."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from app.catalogue import Anime, Catalogue
from app.lists.entry import AnimeList, ListEntry
from app.lists.files.entries import FileEntry, FileList, plain_name
from app.lists.files.scores import decide_scale, to_ten
from app.title_search import TitleIndex

MAX_UNPLACED_TITLES: Final = 5
"""Titles that could not be placed and are named."""
MAX_YEARS_APART: Final = 1
"""Sites differ about what began at the turn of a year."""
_YEAR_BEHIND = re.compile(r"\s*\(((?:19|20)[0-9]{2})\)$")

NamesakeFinder = Callable[[str], Sequence[Sequence[int]]]


def place_entries(file_list: FileList, catalogue: Catalogue, titles: TitleIndex) -> AnimeList:
    """Return a file's list with MyAnimeList's numbers and scores of 1..10.

    Rows that could be no or several anime are counted in ``unmapped``; of rows about the same
    anime the last wins.
    """
    by_site = _SiteIds(catalogue)
    if file_list.unsure_site:
        by_site.decide(file_list.entries)
    numbers = [entry.mal_id or by_site.find(entry) for entry in file_list.entries]
    missing = [entry for entry, found in zip(file_list.entries, numbers, strict=True) if not found]
    find_namesakes = _prepare_namesakes(missing, titles)
    top = decide_scale((entry.score for entry in file_list.entries), file_list.format.tops)
    placed: dict[int, ListEntry] = {}
    unplaced: list[FileEntry] = []
    for entry, number in zip(file_list.entries, numbers, strict=True):
        anime_id = number or _match_title(entry, catalogue, find_namesakes)
        if anime_id is None:
            unplaced.append(entry)
            continue
        # Not just overwritten: the last of equal ids also takes the last place.
        placed.pop(anime_id, None)
        score = to_ten(entry.score, top)
        placed[anime_id] = ListEntry(anime_id, entry.status, score, entry.title)
    named = dict.fromkeys(entry.title for entry in unplaced if entry.title)
    return AnimeList(
        source=file_list.format.source,
        username=file_list.username,
        entries=tuple(placed.values()),
        unmapped=len(unplaced),
        unplaced_titles=tuple(named)[:MAX_UNPLACED_TITLES],
        file_format=file_list.format.name,
    )


class _SiteIds:
    """MyAnimeList's numbers by those of the sites that the catalogue knows."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._maps: dict[str, Mapping[int, int]] = {
            f"{site}_id": catalogue.mal_ids_by_site_id(site) for site in ("anilist", "kitsu")
        }

    def find(self, entry: FileEntry) -> int | None:
        """Return the number of the first id that is known."""
        for name, numbers in self._maps.items():
            if found := numbers.get(getattr(entry, name) or 0):
                return found
        return None

    def decide(self, entries: Sequence[FileEntry]) -> None:
        """Keep of two sites that the ids may be of the one that knows more of them."""
        known = {
            name: sum(getattr(entry, name) in numbers for entry in entries)
            for name, numbers in self._maps.items()
        }
        best = max(known, key=known.__getitem__)
        self._maps = {best: self._maps[best]}


def _prepare_namesakes(entries: Iterable[FileEntry], titles: TitleIndex) -> NamesakeFinder:
    """Look all titles up at once."""
    wanted = dict.fromkeys(chain.from_iterable(_spellings(entry) for entry in entries))
    found = dict(zip(wanted, titles.namesakes(wanted), strict=True))
    return found.__getitem__


def _spellings(entry: FileEntry) -> Iterator[str]:
    """Yield what to look a row up by, the likelier first: "Hellsing (2001)" also as "Hellsing"."""
    for title in filter(None, (entry.title, entry.other_title)):
        yield title
        if bare := _YEAR_BEHIND.sub("", title):
            yield bare


def _match_title(
    entry: FileEntry, catalogue: Catalogue, find_namesakes: NamesakeFinder
) -> int | None:
    """Return the one anime of this title, year and type; None where there is none, or several."""
    for title in _spellings(entry):
        behind = _YEAR_BEHIND.search(entry.title or "")
        year = entry.year or (int(behind[1]) if behind else None)
        for tier in find_namesakes(title):
            anime = [catalogue.get_anime(number) for number in tier]
            fitting = [each for each in anime if _fits_year(each, year)]
            of_type = [
                each for each in fitting if (plain_name(each.type or "") or None) == entry.type
            ]
            exact = [each for each in of_type or fitting if year and each.year == year]
            for choice in (fitting, of_type, exact):
                if len(choice) == 1:
                    return choice[0].anime_id
            if fitting:
                return None
    return None


def _fits_year(anime: Anime, year: int | None) -> bool:
    return not (year and anime.year) or abs(anime.year - year) <= MAX_YEARS_APART
