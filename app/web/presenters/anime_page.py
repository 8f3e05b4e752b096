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
    find_way,
    is_for_children,
    series_in_order,
)
from app.web.services.library import Library

ALSO_LOVED_COUNT = 8


def anime_page_context(library: Library, anime: Anime, position: int) -> dict[str, Any]:
    """Build what ``anime.html`` shows of the anime at ``position`` of the model (-1: not in it)."""
    catalogue = library.catalogue
    alike = find_similar_items(library, position, DEFAULT_SIMILAR)

    series = series_in_order(library, anime)
    start, following = find_way(library, series, anime)

    loved = find_also_loved(library, position, ALSO_LOVED_COUNT)
    return {
        "anime": anime,
        "title_language": catalogue.language,
        "standing": anime_stats(library, position),
        "few_lists": library.model.parameters.rare_item_lists,
        "for_children": is_for_children(library, position),
        "anime_count": len(library.model),
        "alike": {source: [other for other, _ in items] for source, items in alike.items()},
        "loved": [catalogue.get_anime(each.anime_id) for each in loved],
        "details": library.details_cache.get_known(anime.anime_id),
        "relation": relation_text(anime, catalogue),
        "series": [(other, relation_text(other, catalogue)) for other in series],
        "start_id": start,
        "next_id": following,
        "links": site_links(anime),
        "sources": library.sources,
        "source": "",
        "verdict": None,
        "data_date": library.model.manifest.created[:10],
    }
