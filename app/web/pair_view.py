"""What the page of two fans shows, worked out to the last word but not yet HTML."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.lists.entry import FanList
from app.recommender import Together
from app.recommender.together import ForBoth, ForOne
from app.web.answering import Answered
from app.web.options import Options, Planned
from app.web.pair_told import AlikeTold, Section, alike_told, counted, sections_told
from app.web.panel import Control, Panel, panel_of
from app.web.state import Library
from app.web.view import (
    SHOWN_GENRES,
    TINTS,
    Reason,
    adult,
    engines,
    facts_told,
    hidden_with,
    initial_of,
    more,
    orders,
    percent,
    reasons_told,
    titles,
)

PLANNED_NAMES = {Planned.NO: "Show as well", Planned.ONLY: "Show only what one of us plans"}


@dataclass(frozen=True, slots=True)
class Half:
    """What a card says of one of the two."""

    name: str
    match: int
    score: str
    planned: bool
    reasons: tuple[Reason, ...]
    personal: bool


@dataclass(frozen=True, slots=True)
class PairCard:
    """One recommendation for both."""

    rank: int
    anime: Anime
    title: str
    other: str | None
    facts: tuple[str, ...]
    genres: tuple[str, ...]
    match: int
    halves: tuple[Half, Half]
    more: int
    initial: str
    tint: int
    hide: Control


@dataclass(frozen=True, slots=True)
class Pair:
    """The whole page."""

    names: tuple[str, str]
    alike: AlikeTold
    cards: tuple[PairCard, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    orders: tuple[Control, ...]
    engines: tuple[Control, ...]
    adult: Control
    titles: Control
    more: Control | None
    panel: Panel
    data_date: str


def pair_page(
    held: Library,
    answered: Answered[Together],
    lists: tuple[FanList, FanList],
    names: tuple[str, str],
    options: Options,
) -> Pair:
    """Everything that the page says about two fans."""
    found, catalogue = answered.found, held.catalogue
    return Pair(
        names=names,
        alike=alike_told(found.comparison.likeness, names),
        cards=tuple(
            _card(item, names, found.personal, catalogue, options) for item in found.recommendations
        ),
        sections=sections_told(found, names, catalogue, english=options.english),
        notes=tuple(_notes(found, lists, names)),
        orders=orders(options) if any(found.personal) else (),
        engines=engines(options, held.model.engines) if any(found.personal) else (),
        adult=adult(options),
        titles=titles(options),
        more=more(options, len(found.recommendations)),
        panel=panel_of(held, answered, options, PLANNED_NAMES),
        data_date=held.model.manifest.created[:10],
    )


def _card(
    item: ForBoth,
    names: tuple[str, str],
    personal: tuple[bool, bool],
    catalogue: Catalogue,
    options: Options,
) -> PairCard:
    anime, english = catalogue.get(item.anime_id), options.english

    def half(at: int, fan: ForOne) -> Half:
        return Half(
            name=names[at],
            match=percent(fan.match),
            score=f"{fan.predicted_score:.1f}",
            planned=fan.planned,
            reasons=reasons_told(fan.because, catalogue, english=english),
            personal=personal[at],
        )

    return PairCard(
        rank=item.rank,
        anime=anime,
        title=anime.called(english=english),
        other=anime.also_called(english=english),
        facts=tuple(facts_told(anime)),
        genres=anime.genres[:SHOWN_GENRES],
        match=percent(item.match),
        halves=(half(0, item.fans[0]), half(1, item.fans[1])),
        more=item.more,
        initial=initial_of(anime.called(english=english)),
        tint=item.anime_id % TINTS,
        hide=Control("Not for us", options.but(hide=hidden_with(options.hide, item.anime_id))),
    )


def _notes(found: Together, lists: tuple[FanList, FanList], names: tuple[str, str]) -> list[str]:
    notes = []
    for name, fan_list, visitor, personal in zip(
        names, lists, found.visitors, found.personal, strict=True
    ):
        if not personal:
            notes.append(
                f"{name}’s list holds nothing that Hakken can use, so it is taken for that of a "
                "typical fan."
            )
        elif not len(visitor.rated):
            notes.append(f"{name}’s list holds no scores, so it speaks by what was watched.")
        missing = len(visitor.unknown) + fan_list.unmapped
        if missing:
            notes.append(f"{counted(missing, 'title')} of {name}’s list could not be used.")
        if fan_list.age:
            minutes = counted((fan_list.age + 59) // 60, "minute")
            notes.append(f"{name}’s list is {minutes} old: the site does not answer right now.")
    return notes
