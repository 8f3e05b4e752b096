"""One module a service: what it answers to a request."""

from __future__ import annotations

from demo.services import anilist, jikan, kitsu, mal, mal_pages, shikimori

SERVICES = {
    "mal": ("/mal/v2", mal.respond),
    "mal-web": ("/mal-web", mal_pages.respond),
    "anilist": ("/anilist", anilist.respond),
    "kitsu": ("/kitsu/api/edge", kitsu.respond),
    "jikan": ("/jikan/v4", jikan.respond_v4),
    "jikan-3": ("/jikan/v3", jikan.respond_v3),
    "shikimori": ("/shikimori/api", shikimori.respond),
}
"""Service -> where it is, and what answers there (the rest of the path, the request, the world)."""
