"""What the results page shows, worked out to the last word but not yet HTML."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.lists.entry import FanList
from app.recommender import Answer, Because, EngineName, Order, Recommendation
from app.web.answering import Answered
from app.web.links import Link, own_link
from app.web.options import MAX_TOP, STEP, Language, Options, Planned
from app.web.panel import Control, Panel, panel_of
from app.web.state import Library
from app.web.values import MOST_MARKS

FEW_SCORES = 10
SHOWN_GENRES = 4
ENGINES = {
    EngineName.HAKKEN: "Scores and lists",
    EngineName.ALS: "What you did",
    EngineName.MF: "Scores: hidden traits",
    EngineName.MLP: "Scores: a neural network",
    EngineName.HYBRID: "Scores and likes: a neural network",
    EngineName.COSINE: "Scores: directions of taste",
    EngineName.KERNEL: "Scores: likeness to your titles",
}
"""What an engine's picks rest on, as fans would say it."""
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
    title: str
    other: str | None
    facts: tuple[str, ...]
    genres: tuple[str, ...]
    match: int
    score: str
    error: str
    link: Link
    more: int
    few_fans: bool
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
    engines: tuple[Control, ...]
    adult: Control
    titles: Control
    more: Control | None
    panel: Panel
    data_date: str


def results(
    held: Library, answered: Answered[Answer], fan_list: FanList, options: Options
) -> Results:
    """Everything that the page says about an answer."""
    answer = answered.found
    return Results(
        cards=tuple(
            _card(item, held.catalogue, options, fan_list.source) for item in answer.recommendations
        ),
        personal=answer.personal,
        total=len(fan_list.entries) + fan_list.unmapped,
        rated=len(answer.visitor.rated),
        notes=tuple(_notes(answer, fan_list, options)),
        orders=orders(options) if answer.personal else (),
        engines=engines(options, held.model.engines) if answer.personal else (),
        adult=adult(options),
        titles=titles(options),
        more=more(options, len(answer.recommendations)),
        panel=panel_of(held, answered, options),
        data_date=held.model.manifest.created[:10],
    )


def orders(options: Options) -> tuple[Control, ...]:
    """The orders to choose from."""
    labels = {
        Order.MATCH: "Best match",
        Order.DISCOVER: "Hidden gems",
        Order.SCORE: "Predicted score",
    }
    return tuple(
        Control(label, options.but(order=order), options.order is order)
        for order, label in labels.items()
    )


def engines(options: Options, further: Collection[str]) -> tuple[Control, ...]:
    """What the picks can rest on; nothing where there is no choice."""
    if not further:
        return ()
    names = (engine for engine in EngineName if engine in (EngineName.HAKKEN, *further))
    return tuple(
        Control(ENGINES[engine], options.but(engine=engine), options.engine is engine)
        for engine in names
    )


def adult(options: Options) -> Control:
    """Whether what is for adults only is shown."""
    label = "Leave out adult titles" if options.adult else "Add adult titles"
    return Control(label, options.but(adult=not options.adult))


def titles(options: Options) -> Control:
    """What anime are called."""
    if options.english:
        return Control("Romaji titles", options.but(title=Language.ROMAJI))
    return Control("English titles", options.but(title=Language.ENGLISH))


def more(options: Options, shown: int) -> Control | None:
    """Further titles, unless fewer than asked for are ``shown`` or there may be no more."""
    if not shown == options.top < MAX_TOP:
        return None
    longer = options.but(top=min(options.top + STEP, MAX_TOP))
    return Control(f"{longer.top - options.top} more titles", longer)


def _card(item: Recommendation, catalogue: Catalogue, options: Options, source: str) -> Card:
    anime, english = catalogue.get(item.anime_id), options.english
    reasons = reasons_told(item.because, catalogue, english=english)
    return Card(
        rank=item.rank,
        anime=anime,
        title=anime.called(english=english),
        other=anime.also_called(english=english),
        facts=tuple(facts_told(anime)),
        genres=anime.genres[:SHOWN_GENRES],
        match=percent(item.match),
        score=f"{item.predicted_score:.1f}",
        error=f"{item.expected_error:.1f}",
        link=own_link(anime, source),
        more=item.more,
        few_fans=item.few_fans,
        scored=tuple(reason for reason in reasons if reason.score),
        listed=tuple(reason for reason in reasons if not reason.score),
        initial=initial_of(anime.called(english=english)),
        tint=item.anime_id % TINTS,
        hide=Control("Not for me", options.but(hide=hidden_with(options.hide, item.anime_id))),
    )


def reasons_told(
    because: Iterable[Because], catalogue: Catalogue, *, english: bool
) -> tuple[Reason, ...]:
    """The titles behind a number, as they are shown."""
    return tuple(
        Reason(
            catalogue.title(why.anime_id, english=english), number(why.score) if why.score else None
        )
        for why in because
    )


def percent(value: float) -> int:
    """A match or a chance as shown: never quite certain, never quite impossible."""
    return min(99, max(1, round(value)))


def hidden_with(hidden: tuple[int, ...], anime_id: int) -> tuple[int, ...]:
    """The latest last; of too many the earliest goes."""
    return (*hidden, anime_id)[-MOST_MARKS:]


def facts_told(anime: Anime) -> list[str]:
    """Type, year and length, as far as they are known."""
    facts = [anime.type or "", str(anime.year or "")]
    if anime.episodes and anime.episodes > 1:
        facts.append(f"{anime.episodes:,} episodes")
    return [fact for fact in facts if fact]


def initial_of(title: str) -> str:
    """What stands where a poster is missing."""
    return next((letter for letter in title if letter.isalnum()), "?").upper()


def number(score: float) -> str:
    """A score without a needless digit."""
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
    if options.ignore_dropped:
        notes.append("What you dropped without a score is not taken for a dislike.")
    if planned and options.planned is Planned.NO:
        notes.append(f"Left out: {_count(planned, 'title')} you already plan to watch.")
    return notes


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
