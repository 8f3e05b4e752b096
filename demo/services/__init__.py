"""One module a service: what it answers to a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from demo.data import DemoData
from demo.faults import Refusals
from demo.http_server import FakeResponse, RecordedRequest
from demo.services import anilist, jikan, kitsu, mal, mal_pages, shikimori, sign_in


class Service(NamedTuple):
    """Where a service is, what answers there (to the rest of the path), and how it refuses."""

    prefix: str
    respond: Callable[[str, RecordedRequest, DemoData], FakeResponse]
    refusals: Refusals


SERVICES = {
    "mal": Service("/mal/v2", mal.respond, mal.REFUSALS),
    "mal-web": Service("/mal-web", mal_pages.respond, mal_pages.REFUSALS),
    "anilist-web": Service("/anilist-web", sign_in.respond_anilist, {}),
    "anilist": Service("/anilist", anilist.respond, anilist.REFUSALS),
    "kitsu": Service("/kitsu/api/edge", kitsu.respond, kitsu.REFUSALS),
    "jikan": Service("/jikan/v4", jikan.respond_v4, jikan.REFUSALS),
    "jikan-3": Service("/jikan/v3", jikan.respond_v3, jikan.REFUSALS),
    "shikimori": Service("/shikimori/api", shikimori.respond, shikimori.REFUSALS),
}
