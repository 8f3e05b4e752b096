"""One module a service: what it answers to a request."""

from __future__ import annotations

from demo.services import anilist, jikan, kitsu, mal, mal_pages, shikimori

ALL = {
    "mal": ("/mal/v2", mal.answer),
    "mal-web": ("/mal-web", mal_pages.answer),
    "anilist": ("/anilist", anilist.answer),
    "kitsu": ("/kitsu/api/edge", kitsu.answer),
    "jikan": ("/jikan/v4", jikan.answer),
    "jikan-3": ("/jikan/v3", jikan.answer_flat),
    "shikimori": ("/shikimori/api", shikimori.answer),
}
"""Service -> where it is, and what answers there (the rest of the path, the request, the world)."""
