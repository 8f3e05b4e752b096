"""Cards: what the pages show of one anime, worked out to the last word but not yet HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.catalogue import Anime, Catalogue
from app.lists import anilist, kitsu, shikimori
from app.lists.entry import AnimeList
from app.recommender import Contribution, RecommendationResult, RecommendedItem
from app.recommender.group import GroupRecommendation, MemberScore
from app.web.presenters.filter_form import OptionLink
from app.web.presenters.text import (
    POSTER_TINTS,
    clamp_percent,
    describe_anime,
    format_score,
    poster_initial,
)
from app.web.requests.query import QueryOptions
from app.web.requests.values import MAX_MARKS

MAX_CARD_GENRES = 4

SiteLink = tuple[str, str]
"""The name of a site, and the address there."""


@dataclass(frozen=True, slots=True)
class RatedTitle:
    """A title of the user's list, and the score given (None: it is on the list without one)."""

    title: str
    score: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimeCard:
    """What every card has."""

    rank: int
    anime: Anime
    title: str
    alternative_title: str | None
    fact_labels: tuple[str, ...]
    genres: tuple[str, ...]
    match: int
    franchise_rest: int
    initial: str
    tint: int
    hide_link: OptionLink


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationCard(AnimeCard):
    """One recommendation."""

    score: str
    expected_error: str
    source_link: SiteLink
    few_users: bool
    rated_reasons: tuple[RatedTitle, ...]
    unrated_reasons: tuple[RatedTitle, ...]


@dataclass(frozen=True, slots=True)
class MemberCard:
    """What a card says of one of two users."""

    name: str
    match: int
    score: str
    planned: bool
    reasons: tuple[RatedTitle, ...]
    personal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCard(AnimeCard):
    """One recommendation for both."""

    members: tuple[MemberCard, ...]


@dataclass(frozen=True, slots=True)
class FavouriteCard:
    """One favourite; ``supported_picks`` are the ranks and titles of the picks it is a reason for.

    ``has_page`` is False where the catalogue does not know the anime.
    """

    anime_id: int
    title: str
    has_page: bool
    picture: str | None
    score: str | None
    supported_picks: tuple[tuple[int, str], ...]
    initial: str
    tint: int


def build_recommendation_card(
    item: RecommendedItem, catalogue: Catalogue, options: QueryOptions, source: str
) -> RecommendationCard:
    """Word one recommendation for a list from ``source``."""
    reasons = _rated_titles(item.contributions, catalogue, english=options.english)
    return RecommendationCard(
        **_card_fields(item, catalogue, options, "Not for me"),
        score=f"{item.predicted_score:.1f}",
        expected_error=f"{item.expected_error:.1f}",
        source_link=source_link(catalogue.get_anime(item.anime_id), source),
        few_users=item.rarely_listed,
        rated_reasons=tuple(reason for reason in reasons if reason.score),
        unrated_reasons=tuple(reason for reason in reasons if not reason.score),
    )


def build_pair_card(
    item: GroupRecommendation,
    names: tuple[str, str],
    personal: tuple[bool, ...],
    catalogue: Catalogue,
    options: QueryOptions,
) -> PairCard:
    """Word one recommendation for two."""

    def build_member(name: str, member: MemberScore, is_personal: bool) -> MemberCard:
        return MemberCard(
            name=name,
            match=clamp_percent(member.match),
            score=f"{member.predicted_score:.1f}",
            planned=member.planned,
            reasons=_rated_titles(member.contributions, catalogue, english=options.english),
            personal=is_personal,
        )

    members = map(build_member, names, item.members, personal)
    return PairCard(**_card_fields(item, catalogue, options, "Not for us"), members=tuple(members))


def build_favourite_cards(
    anime_list: AnimeList, result: RecommendationResult, catalogue: Catalogue, *, english: bool
) -> Iterable[FavouriteCard]:
    """Word the favourites in their user's order."""
    entries = {entry.anime_id: entry for entry in anime_list.entries}
    for anime_id in anime_list.favourites:
        entry, anime = entries[anime_id], catalogue.get_anime(anime_id)
        has_page = anime_id in catalogue
        title = anime.display_title(english=english)
        if not has_page:
            title = entry.title or title
        yield FavouriteCard(
            anime_id=anime_id,
            title=title,
            has_page=has_page,
            picture=anime.picture,
            score=format_score(entry.score) if entry.score else None,
            supported_picks=tuple(
                (item.rank, catalogue.title(item.anime_id, english=english))
                for item in result.recommendations
                if any(why.anime_id == anime_id for why in item.contributions)
            ),
            initial=poster_initial(title),
            tint=anime_id % POSTER_TINTS,
        )


def site_links(anime: Anime) -> list[SiteLink]:
    """The anime's pages on every site that knows it."""
    links = [("MyAnimeList", anime.url)]
    if anime.anilist_id:
        links.append((anilist.NAME, f"https://anilist.co/anime/{anime.anilist_id}"))
    if anime.kitsu_id:
        links.append((kitsu.NAME, f"https://kitsu.app/anime/{anime.kitsu_id}"))
    return links


def source_link(anime: Anime, source: str) -> SiteLink:
    """The page on the site that a list comes from; on MyAnimeList where that site has none."""
    if source == shikimori.SLUG:
        return shikimori.NAME, f"https://shikimori.io/animes/{anime.anime_id}"
    name = {anilist.SLUG: anilist.NAME, kitsu.SLUG: kitsu.NAME}.get(source)
    links = site_links(anime)
    return next((link for link in links if link[0] == name), links[0])


def _card_fields(
    item: RecommendedItem | GroupRecommendation,
    catalogue: Catalogue,
    options: QueryOptions,
    hide_label: str,
) -> dict[str, Any]:
    """The fields of an `AnimeCard`."""
    anime, english = catalogue.get_anime(item.anime_id), options.english
    title = anime.display_title(english=english)
    # Of too many that are hidden the earliest is shown again.
    hidden = (*options.hide, item.anime_id)[-MAX_MARKS:]
    return {
        "rank": item.rank,
        "anime": anime,
        "title": title,
        "alternative_title": anime.alternate_title(english=english),
        "fact_labels": describe_anime(anime),
        "genres": anime.genres[:MAX_CARD_GENRES],
        "match": clamp_percent(item.match),
        "franchise_rest": item.more_of_franchise,
        "initial": poster_initial(title),
        "tint": item.anime_id % POSTER_TINTS,
        "hide_link": OptionLink(hide_label, options.with_changes(hide=hidden)),
    }


def _rated_titles(
    contributions: Iterable[Contribution], catalogue: Catalogue, *, english: bool
) -> tuple[RatedTitle, ...]:
    return tuple(
        RatedTitle(
            catalogue.title(why.anime_id, english=english),
            format_score(why.score) if why.score else None,
        )
        for why in contributions
    )
