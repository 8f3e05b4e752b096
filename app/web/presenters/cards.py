"""What the cards show beside the answer itself: favourites, and links to other sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.lists import anilist, kitsu, shikimori
from app.lists.entry import AnimeList
from app.schemas.recommendations import MovedFor, RecommendationSchema
from app.translation import gettext, mark

SiteLink = tuple[str, str]
"""The name of a site, and the address there."""


_SITE_NAMES = {module.SLUG: module.NAME for module in (anilist, kitsu, shikimori)}
RELATION_WORDS = {
    "sequel": mark("sequel of %(title)s"),
    "prequel": mark("prequel of %(title)s"),
    "summary": mark("retells %(title)s"),
    "side_story": mark("side story of %(title)s"),
    "alternative": mark("another version of %(title)s"),
    "spin_off": mark("spin-off of %(title)s"),
}
"""What an anime is to another, as a page says it."""

MOVED_WORDS = {
    (MovedFor.SCORE, True): mark("Moved up for the score that you would give it"),
    (MovedFor.SCORE, False): mark("Moved down for the score that you would give it"),
    (MovedFor.LENGTH, True): mark("Moved up for its kind and length"),
    (MovedFor.LENGTH, False): mark("Moved down for its kind and length"),
    (MovedFor.AGE, True): mark("Moved up for the year that it is from"),
    (MovedFor.AGE, False): mark("Moved down for the year that it is from"),
    (MovedFor.POPULARITY, True): mark("Moved up, going by how many know it"),
    (MovedFor.POPULARITY, False): mark("Moved down, going by how many know it"),
    (MovedFor.FIT, True): mark("Moved up: its genres, themes and makers suit your list"),
    (MovedFor.FIT, False): mark("Moved down: its genres, themes and makers suit your list less"),
    (MovedFor.FRANCHISE, True): mark("Moved up: it is of a series that you know"),
    (MovedFor.FRANCHISE, False): mark(
        "Moved down: other parts of its series come first, or meant less to you"
    ),
}
"""What an anime was moved for, and whether up, as a card says it."""
_UNKNOWN_SERIES = {
    True: mark("Moved up: it is of no series that you know"),
    False: mark("Moved down: it is of no series that you know"),
}


@dataclass(frozen=True, slots=True)
class FavouriteCard:
    """One favourite, and the picks that it is a reason for.

    ``has_page`` is False where the catalogue does not know the anime.
    """

    anime_id: int
    title: str
    has_page: bool
    picture: str | None
    score: float | None
    supported_picks: tuple[RecommendationSchema, ...]


def build_favourite_cards(
    anime_list: AnimeList, picks: Sequence[RecommendationSchema], catalogue: Catalogue
) -> Iterable[FavouriteCard]:
    """Build the cards of the favourites in their user's order."""
    entries = {entry.anime_id: entry for entry in anime_list.entries}
    for anime_id in anime_list.favourites:
        entry, anime = entries[anime_id], catalogue.get_anime(anime_id)
        has_page = anime_id in catalogue
        title = anime.title
        yield FavouriteCard(
            anime_id=anime_id,
            title=title if has_page else entry.title or title,
            has_page=has_page,
            picture=anime.picture,
            score=entry.score,
            supported_picks=tuple(
                pick for pick in picks if any(why.anime_id == anime_id for why in pick.because)
            ),
        )


def site_links(anime: Anime) -> list[SiteLink]:
    """List the anime's pages on every site that knows it."""
    links = [("MyAnimeList", anime.url)]
    if anime.anilist_id:
        links.append((anilist.NAME, anime.url_on(anilist.SLUG)))
    if anime.kitsu_id:
        links.append((kitsu.NAME, anime.url_on(kitsu.SLUG)))
    return links


def source_link(anime: Anime, source: str) -> SiteLink:
    """Find the page on the site of the list; on MyAnimeList where that site has none."""
    url = anime.url_on(source)
    return "MyAnimeList" if url == anime.url else _SITE_NAMES[source], url


def relation_text(anime: Anime, catalogue: Catalogue) -> tuple[str, str] | None:
    """Say what an anime is, as a message, and to which other: the title of that."""
    if anime.relation_id is None or anime.relation_kind not in RELATION_WORDS:
        return None
    return RELATION_WORDS[anime.relation_kind], catalogue.title(anime.relation_id)


def moved_text(item: RecommendationSchema, *, knows_series: bool) -> str | None:
    """Say what an anime was moved up or down for; None where there is nothing to say.

    That it goes on with a series that the fan knows is left out where the card has told so.
    """
    is_up = item.moved_by > 0
    if item.moved_for is None or (item.moved_for is MovedFor.FRANCHISE and is_up and item.follows):
        return None
    if item.moved_for is MovedFor.FRANCHISE and not knows_series:
        return gettext(_UNKNOWN_SERIES[is_up])
    return gettext(MOVED_WORDS[item.moved_for, is_up])
