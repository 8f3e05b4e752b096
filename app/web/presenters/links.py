"""Where an anime stands on other sites."""

from __future__ import annotations

from app.catalogue import Anime
from app.lists import anilist, kitsu, shikimori

SiteLink = tuple[str, str]
"""The name of a site, and the address there."""


def site_links(anime: Anime) -> list[SiteLink]:
    """On every site that knows it."""
    links = [("MyAnimeList", anime.url)]
    if anime.anilist_id:
        links.append((anilist.NAME, f"https://anilist.co/anime/{anime.anilist_id}"))
    if anime.kitsu_id:
        links.append((kitsu.NAME, f"https://kitsu.app/anime/{anime.kitsu_id}"))
    return links


def source_link(anime: Anime, source: str) -> SiteLink:
    """On the site that a list comes from; on MyAnimeList where that site does not know it."""
    if source == shikimori.SLUG:
        return shikimori.NAME, f"https://shikimori.io/animes/{anime.anime_id}"
    name = {anilist.SLUG: anilist.NAME, kitsu.SLUG: kitsu.NAME}.get(source)
    links = site_links(anime)
    return next((link for link in links if link[0] == name), links[0])
