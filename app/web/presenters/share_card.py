"""What stands on the picture that a fan shows to a friend, to the last word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from app.card_images import ShareCard, Tile, TileRow
from app.recommender import GroupResult, RecommendationResult, UserProfile
from app.schemas.anime import AnimeTitle
from app.schemas.pair import PairRecommendationsResponse
from app.schemas.recommendations import RecommendationSchema, RecommendationsResponse
from app.translation import gettext, mark, ngettext
from app.web.presenters.pair_page import describe_similarity
from app.web.presenters.taste_summary import MIN_SCORE_DIFFERENCE, summarize_taste
from app.web.presenters.text import clamp_percent, format_score
from app.web.services.library import Library

TitleT = TypeVar("TitleT", bound=AnimeTitle)

ROW_SIZE = 3
STRONG_DIFFERENCE = 0.6
"""Points by which somebody scores above or below others for a stronger word."""
VERDICTS = (
    (STRONG_DIFFERENCE, mark("A great enthusiast")),
    (MIN_SCORE_DIFFERENCE, mark("An enthusiast")),
    (-MIN_SCORE_DIFFERENCE, mark("A fair judge")),
    (-STRONG_DIFFERENCE, mark("A critic")),
    (-10.0, mark("A stern critic")),
)
"""From this difference on somebody is called so."""


def build_taste_card(
    library: Library,
    result: RecommendationResult,
    answer: RecommendationsResponse,
    name: str | None,
    *,
    is_example: bool = False,
) -> ShareCard:
    """Word the card of one fan; ``name`` is None where nobody knows whose list it is."""
    profile = result.profile
    taste = summarize_taste(library.model, library.attributes, profile)
    loved = [
        _tile(library, anime_id, format_score(score))
        for anime_id, score in find_loved(library, profile, ROW_SIZE)
    ]
    picks = [
        _tile(library, item.anime_id, _pick_badge(item, answer))
        for item in _for_everybody(library, answer.recommendations)
    ]
    own = gettext("A made-up fan’s taste") if is_example else gettext("My taste in anime")
    verdict = explanation = ""
    if taste and taste.strictness is not None:
        verdict = gettext(next(word for least, word in VERDICTS if taste.strictness >= least))
        explanation = _explain_strictness(taste.strictness)
    return ShareCard(
        headings=(*((gettext("%(name)s’s taste in anime", name=name),) if name else ()), own),
        chips=tuple(each.name for each in (*taste.genres, *taste.decades)) if taste else (),
        number=taste.mean_score if taste else "",
        verdict=verdict,
        explanation=explanation,
        rows=_rows((gettext("Loves"), loved), (gettext("Should watch next"), picks)),
    )


def build_pair_card(
    library: Library,
    result: GroupResult,
    answer: PairRecommendationsResponse,
    names: tuple[str, str],
) -> ShareCard:
    """Word the card of two fans."""
    one, other = names
    alike = describe_similarity(result.comparison.similarity, names)
    seen = result.comparison.similarity.shared_seen

    def tile(anime_id: int, scores: Iterable[str]) -> Tile:
        return _tile(library, anime_id, " · ".join(scores))

    loved = [
        tile(item.anime_id, map(format_score, item.scores))
        for item in _for_everybody(library, answer.favourites)
    ]
    picks = [
        tile(item.anime_id, (f"{each.predicted_score:.1f}" for each in item.fans))
        for item in _for_everybody(library, answer.recommendations)
    ]
    return ShareCard(
        headings=(f"{one} & {other}", gettext("Two fans")),
        chips=(),
        number=f"{alike.percent} %" if alike.percent is not None else "",
        verdict=alike.label,
        explanation=ngettext(
            "%(count)s title that both have seen.", "%(count)s titles that both have seen.", seen
        )
        if seen
        else "",
        rows=_rows((gettext("Both love"), loved), (gettext("For tonight"), picks)),
    )


def _explain_strictness(difference: float) -> str:
    amount = f"{abs(difference):.1f}"
    if abs(difference) < MIN_SCORE_DIFFERENCE:
        return gettext("Scores the same anime about as others do.")
    if difference > 0:
        return gettext("Gives the same anime %(amount)s more than others do.", amount=amount)
    return gettext("Gives the same anime %(amount)s less than others do.", amount=amount)


def _rows(loved: tuple[str, list[Tile]], picks: tuple[str, list[Tile]]) -> tuple[TileRow, ...]:
    """Put three under each heading; where nothing is loved, more of what to watch."""
    label, tiles = picks
    rows = [
        TileRow(loved[0], tuple(loved[1][:ROW_SIZE])),
        TileRow(label, tuple(tiles[:ROW_SIZE]), is_advice=True),
    ]
    if not loved[1]:
        rows.append(TileRow("", tuple(tiles[ROW_SIZE : 2 * ROW_SIZE]), is_advice=True))
    return tuple(row for row in rows if row.tiles)


def _tile(library: Library, anime_id: int, badge: str) -> Tile:
    anime = library.catalogue.get_anime(anime_id)
    titles = (anime.title, anime.title_romaji, anime.title_english, *anime.synonyms)
    return Tile(anime_id, tuple(filter(None, titles)), badge)


def _for_everybody(library: Library, items: Sequence[TitleT]) -> list[TitleT]:
    """Leave out what is for adults, whatever the visitor has asked for."""
    positions = library.model.find_positions(np.array([each.anime_id for each in items], np.int64))
    shown = library.shown_mask(adult=False)[positions]
    return [each for each, is_shown in zip(items, shown, strict=True) if is_shown]


def _pick_badge(item: RecommendationSchema, answer: RecommendationsResponse) -> str:
    """Write the number that a card on the page has."""
    if not answer.personal:
        return f"{item.expected_score:.1f}"
    return f"{clamp_percent(item.shown_match)} %"


LOWEST_LOVED = 6.0
"""What is scored below is loved by nobody."""


def find_loved(library: Library, profile: UserProfile, count: int) -> list[tuple[int, float]]:
    """Return ids and scores of what is loved most, one of a series and nothing for adults.

    What the fan calls favourites comes first, then what has the highest scores; among equal ones
    what the fan thinks more of than others do.
    """
    known = profile.known_entries
    is_favourite = np.isin(profile.rated, known.position[known.favourite])
    loved = profile.score >= max(LOWEST_LOVED, profile.least_liked_score)
    loved &= library.shown_mask(adult=False)[profile.rated]
    order = np.lexsort((profile.rated, -profile.residual, -profile.score, ~is_favourite))
    series = library.franchises.series_number[profile.rated]
    found: dict[int, tuple[int, float]] = {}
    for at in order[loved[order]].tolist():
        anime_id = int(library.model.anime_id[profile.rated[at]])
        found.setdefault(int(series[at]), (anime_id, float(profile.score[at])))
        if len(found) == count:
            break
    return list(found.values())
