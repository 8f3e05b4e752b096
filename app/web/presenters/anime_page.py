"""The page of one anime, worked out but not yet HTML."""

from __future__ import annotations

from typing import Any

from app.catalogue import Anime
from app.web.presenters.cards import relation_text, site_links
from app.web.requests.query import DEFAULT_SIMILAR
from app.web.services.anime import (
    anime_stats,
    find_also_loved,
    find_similar_items,
    is_for_children,
    series_in_order,
)
from app.web.services.library import Library

ALSO_LOVED_COUNT = 8


def anime_page_context(
    library: Library, anime: Anime, position: int, *, english: bool
) -> dict[str, Any]:
    """Build what ``anime.html`` shows of the anime at ``position`` of the model (-1: not in it)."""
    title = anime.display_title(english=english)
    return {
        "anime": anime,
        "title": title,
        "other": anime.alternate_title(english=english),
        "english": english,
        "standing": anime_stats(library, position),
        "few_lists": library.model.parameters.rare_item_lists,
        "for_children": is_for_children(library, position),
        "alike": find_similar_items(library, position, DEFAULT_SIMILAR),
        "loved": find_also_loved(library, position, ALSO_LOVED_COUNT),
        "relation": relation_text(anime, library.catalogue, english=english),
        "series": [
            (other, relation_text(other, library.catalogue, english=english))
            for other in series_in_order(library, anime)
        ],
        "links": site_links(anime),
        "data_date": library.model.manifest.created[:10],
    }
