"""The tools that an assistant may call, each one question to Hakken's API.

Answers are those of the API (docs/api.md), without what only programs need.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any, Literal, ParamSpec
from urllib.parse import urlsplit

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from app import VERSION
from app.settings import SettingsError
from hakken_mcp.api import ApiProblemError, HakkenApi

INSTRUCTIONS = """\
Hakken recommends anime to a person from their public list on MyAnimeList, AniList, Kitsu or \
Shikimori. Ask for the site and the username first. anime_id is MyAnimeList's number: find it with \
search. match_percentile says, in percent, how much of what the person loved matches less; because \
names the titles of their list that speak for a pick."""

Source = Annotated[str, Field(description="myanimelist, anilist, kitsu or shikimori")]
Username = Annotated[str, Field(min_length=1, max_length=100, description="their name there")]
Top = Annotated[int, Field(ge=1, le=50, description="how many")]
Words = Annotated[list[str], Field(max_length=20)]
AnimeId = Annotated[int, Field(ge=1, description="MyAnimeList's number of the anime")]
Order = Annotated[
    Literal["match", "score", "discover"],
    Field(description="best matches, highest predicted scores, or little-known matches"),
]
Types = list[Literal["tv", "movie", "ova", "ona", "special", "music"]]
Answer = dict[str, Any]
P = ParamSpec("P")

_FOR_PROGRAMS = frozenset({"mal_url", "kitsu_id", "anilist_id", "tvdb_id", "picture", "synonyms"})


def build_server(api: HakkenApi) -> MCPServer[Any]:
    """Build the server whose tools ask this Hakken."""
    server: MCPServer[Any] = MCPServer(
        "hakken",
        instructions=INSTRUCTIONS,
        version=VERSION,
        log_level="WARNING",  # below it names of fans are told
    )

    def recommend(
        source: Source,
        username: Username,
        top: Top = 10,
        order: Order = "match",
        types: Types = [],  # noqa: B006 -- the SDK reads the default and changes nothing
        genres: Words = [],  # noqa: B006
        without_genres: Words = [],  # noqa: B006
        new_series: Annotated[bool, Field(description="only series they have not begun")] = False,
    ) -> Answer:
        """Recommend anime to one person, with the titles of their list that speak for each."""
        return api.get(
            "recommendations",
            source=source,
            username=username,
            top=top,
            order=order,
            type=types,
            genre=genres,
            without=without_genres,
            new_series=int(new_series),
        )

    def explain(source: Source, username: Username, anime_id: AnimeId) -> Answer:
        """Say whether one anime is for one person, and why; or what they gave it already.

        rank is its place among their best matches.
        """
        return api.get(f"anime/{anime_id}/for", source=source, username=username)

    def similar(anime_id: AnimeId, top: Top = 10) -> Answer:
        """List what is like an anime, by what fans of it love."""
        return api.get(f"anime/{anime_id}/similar", top=top)

    def together(
        source: Source,
        username: Username,
        with_source: Source,
        with_username: Username,
        top: Top = 10,
    ) -> Answer:
        """Recommend what two people would both enjoy, and say how alike their tastes are."""
        return api.get(
            "together",
            source=source,
            username=username,
            with_source=with_source,
            with_username=with_username,
            top=top,
        )

    def search(title: Annotated[str, Field(min_length=1, max_length=100)], top: Top = 10) -> Answer:
        """Find anime by title, in any language, or by what fans call it."""
        return api.get("anime", search=title, limit=top)

    for tool in (recommend, explain, similar, together, search):
        reads = ToolAnnotations(read_only_hint=True, open_world_hint=True)
        server.add_tool(_told(tool), annotations=reads)
    return server


def _told(tool: Callable[P, Answer]) -> Callable[P, Answer]:
    """Shorten the answer of a tool, and tell the assistant what went wrong."""

    @wraps(tool)
    def ask(*args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            answer: Answer = _shortened(tool(*args, **kwargs))
        except ApiProblemError as error:
            raise ToolError(str(error)) from None
        return answer

    return ask


def _shortened(value: Any) -> Any:
    """Leave out what is empty, and what is only for programs."""
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if isinstance(value, dict):
        return {
            name: _shortened(each)
            for name, each in value.items()
            if name not in _FOR_PROGRAMS and each not in (None, [], {}, "")
        }
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Serve on standard input and output until whoever started it closes them."""
    parser = argparse.ArgumentParser(
        prog="python -m hakken_mcp",
        description="Hakken as a server of the Model Context Protocol, on standard input and "
        "output. Without --url it opens the model here, as HAKKEN_MODEL and other settings say.",
        allow_abbrev=False,
    )
    parser.add_argument("--url", metavar="URL", help="ask the Hakken that runs there instead")
    url: str | None = parser.parse_args(argv).url
    parts = urlsplit(url or "http://localhost")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        parser.error(f"--url {url} is no address such as http://127.0.0.1:8000")
    try:
        api = HakkenApi.in_process() if url is None else HakkenApi.at(url)
    except SettingsError as error:
        print(f"hakken_mcp: {error}", file=sys.stderr)
        return 2
    build_server(api).run("stdio")
    return 0
