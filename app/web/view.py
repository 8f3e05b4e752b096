"""What the results page shows, worked out to the last word but not yet HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.lists.entry import FanList
from app.recommender import Answer, Order, Recommendation
from app.web.options import MAX_TOP, MOST_MARKS, STEP, Options, Planned
from app.web.panel import Control, Panel

FEW_SCORES = 10
SHOWN_GENRES = 4
_NO_LETTERS = re.compile(r"[\W_]+")
TINTS = 6
"""How many colours the stylesheet has for a missing poster."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A title of the fan's list, and the score given (None: it is on the list without one)."""

    title: str
    score: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """One recommendation."""

    rank: int
    anime: Anime
    english: str | None
    facts: tuple[str, ...]
    genres: tuple[str, ...]
    match: int
    score: str
    error: str
    more: int
    scored: tuple[Reason, ...]
    listed: tuple[Reason, ...]
    initial: str
    tint: int
    hide: Control


@dataclass(frozen=True, slots=True)
class Results:
    """The whole page. ``total`` counts every entry of the list, usable or not."""

    cards: tuple[Card, ...]
    personal: bool
    total: int
    rated: int
    notes: tuple[str, ...]
    orders: tuple[Control, ...]
    adult: Control
    more: Control | None
    panel: Panel
    data_date: str


def results(
    answer: Answer,
    fan_list: FanList,
    catalogue: Catalogue,
    options: Options,
    panel: Panel,
    created: str,
) -> Results:
    """Everything that the page says about an answer."""
    full = len(answer.recommendations) == options.top < MAX_TOP
    more = options.but(top=min(options.top + STEP, MAX_TOP))
    switched = options.but(adult=not options.adult)
    return Results(
        cards=tuple(_card(item, catalogue, options) for item in answer.recommendations),
        personal=answer.personal,
        total=len(fan_list.entries) + fan_list.unmapped,
        rated=len(answer.visitor.rated),
        notes=tuple(_notes(answer, fan_list, options)),
        orders=_orders(options),
        adult=Control("Leave out adult titles" if options.adult else "Add adult titles", switched),
        more=Control(f"{more.top - options.top} more titles", more) if full else None,
        panel=panel,
        data_date=created[:10],
    )


def _orders(options: Options) -> tuple[Control, ...]:
    labels = {
        Order.MATCH: "Best match",
        Order.DISCOVER: "Hidden gems",
        Order.SCORE: "Predicted score",
    }
    return tuple(
        Control(label, options.but(order=order), options.order is order)
        for order, label in labels.items()
    )


def _card(item: Recommendation, catalogue: Catalogue, options: Options) -> Card:
    anime = catalogue.get(item.anime_id)
    reasons = [
        Reason(catalogue.title(why.anime_id), _number(why.score) if why.score else None)
        for why in item.because
    ]
    return Card(
        rank=item.rank,
        anime=anime,
        english=other_title(anime),
        facts=tuple(_facts(anime)),
        genres=anime.genres[:SHOWN_GENRES],
        match=min(99, max(1, round(item.match))),
        score=f"{item.predicted_score:.1f}",
        error=f"{item.expected_error:.1f}",
        more=item.more,
        scored=tuple(reason for reason in reasons if reason.score),
        listed=tuple(reason for reason in reasons if not reason.score),
        initial=initial_of(anime),
        tint=item.anime_id % TINTS,
        hide=Control("Not for me", options.but(hide=_with(options.hide, item.anime_id))),
    )


def _with(hidden: tuple[int, ...], anime_id: int) -> tuple[int, ...]:
    """The latest last; of too many the earliest goes."""
    return (*hidden, anime_id)[-MOST_MARKS:]


def _facts(anime: Anime) -> list[str]:
    facts = [anime.type or "", str(anime.year or "")]
    if anime.episodes and anime.episodes > 1:
        facts.append(f"{anime.episodes:,} episodes")
    return [fact for fact in facts if fact]


def other_title(anime: Anime) -> str | None:
    """The English title, unless it is the same but for case and punctuation."""
    english = anime.title_english
    return english if english and _bare(english) != _bare(anime.title) else None


def initial_of(anime: Anime) -> str:
    """What stands where a poster is missing."""
    return next((letter for letter in anime.title if letter.isalnum()), "?").upper()


def _bare(title: str) -> str:
    return _NO_LETTERS.sub("", title.casefold())


def _number(score: float) -> str:
    return f"{score:.1f}".removesuffix(".0")


def _notes(answer: Answer, fan_list: FanList, options: Options) -> list[str]:
    visitor = answer.visitor
    rated, unknown, planned = len(visitor.rated), len(visitor.unknown), len(visitor.planned)
    total = len(fan_list.entries) + fan_list.unmapped
    notes = []
    if total and not answer.personal:
        notes.append(
            "These are general picks, popular and well rated, because the list holds nothing that "
            "Hakken can use."
        )
    elif answer.personal and not rated:
        notes.append(
            "The list holds no scores, so the picks rest on what you watched. Score what you have "
            "seen, and they get closer to your taste."
        )
    elif answer.personal and rated < FEW_SCORES:
        notes.append(
            f"Only {_count(rated, 'scored title')} could be used. Score more of what you have "
            "seen, and the picks get closer to your taste."
        )
    if unknown:
        notes.append(
            f"{unknown:,} of the {_count(total, 'title')} could not be used: too new for Hakken’s "
            "data, or rated by too few fans."
        )
    if fan_list.unmapped:
        notes.append(
            f"{_count(fan_list.unmapped, 'title')} could not be matched with MyAnimeList, "
            "by whose numbers Hakken knows anime."
        )
    if planned and options.planned is Planned.NO:
        notes.append(f"Left out: {_count(planned, 'title')} you already plan to watch.")
    return notes


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
