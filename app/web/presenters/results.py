"""What the results page shows, worked out to the last word but not yet HTML."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.lists.entry import AnimeList
from app.recommender import (
    Contribution,
    EngineName,
    RecommendationResult,
    RecommendedItem,
    SortOrder,
)
from app.web.presenters.filter_form import FilterForm, OptionLink, build_filter_form
from app.web.presenters.links import SiteLink, source_link
from app.web.requests.query import MAX_TOP, TOP_STEP, PlannedMode, QueryOptions, TitleLanguage
from app.web.requests.values import MAX_MARKS
from app.web.services.recommend import FilteredResult
from app.web.state import Library

FEW_RATINGS = 10
MAX_CARD_GENRES = 4
ENGINE_LABELS = {
    EngineName.HAKKEN: "Scores and lists",
    EngineName.ALS: "What you did",
    EngineName.MF: "Scores: hidden traits",
    EngineName.MLP: "Scores: a neural network",
    EngineName.HYBRID: "Scores and likes: a neural network",
    EngineName.COSINE: "Scores: directions of taste",
    EngineName.KERNEL: "Scores: likeness to your titles",
}
"""What an engine's picks rest on, as fans would say it."""
POSTER_TINTS = 6
"""How many colours the stylesheet has for a missing poster."""


@dataclass(frozen=True, slots=True)
class RatedTitle:
    """A title of the fan's list, and the score given (None: it is on the list without one)."""

    title: str
    score: str | None


@dataclass(frozen=True, slots=True)
class RecommendationCard:
    """One recommendation."""

    rank: int
    anime: Anime
    title: str
    alternative_title: str | None
    fact_labels: tuple[str, ...]
    genres: tuple[str, ...]
    match: int
    score: str
    expected_error: str
    source_link: SiteLink
    franchise_rest: int
    few_users: bool
    rated_reasons: tuple[RatedTitle, ...]
    unrated_reasons: tuple[RatedTitle, ...]
    initial: str
    tint: int
    hide_link: OptionLink


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """The whole page. ``total`` counts every entry of the list, usable or not."""

    cards: tuple[RecommendationCard, ...]
    personal: bool
    list_length: int
    rated_count: int
    notes: tuple[str, ...]
    order_links: tuple[OptionLink, ...]
    engine_links: tuple[OptionLink, ...]
    adult_link: OptionLink
    title_language_link: OptionLink
    more_link: OptionLink | None
    filter_form: FilterForm
    data_date: str


def build_results_page(
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    anime_list: AnimeList,
    options: QueryOptions,
) -> ResultsPage:
    """Everything that the page says about an answer."""
    answer = filtered.result
    return ResultsPage(
        cards=tuple(
            _build_card(item, library.catalogue, options, anime_list.source)
            for item in answer.recommendations
        ),
        personal=answer.is_personalized,
        list_length=len(anime_list.entries) + anime_list.unmapped,
        rated_count=len(answer.profile.rated),
        notes=tuple(_build_notes(answer, anime_list, options)),
        order_links=build_order_links(options) if answer.is_personalized else (),
        engine_links=build_engine_links(options, library.model.engines)
        if answer.is_personalized
        else (),
        adult_link=build_adult_link(options),
        title_language_link=build_title_language_link(options),
        more_link=build_more_link(options, len(answer.recommendations)),
        filter_form=build_filter_form(library, filtered, options),
        data_date=library.model.manifest.created[:10],
    )


def build_order_links(options: QueryOptions) -> tuple[OptionLink, ...]:
    """The orders to choose from."""
    labels = {
        SortOrder.MATCH: "Best match",
        SortOrder.DISCOVER: "Hidden gems",
        SortOrder.SCORE: "Predicted score",
    }
    return tuple(
        OptionLink(label, options.with_changes(order=order), options.order is order)
        for order, label in labels.items()
    )


def build_engine_links(options: QueryOptions, further: Collection[str]) -> tuple[OptionLink, ...]:
    """What the picks can rest on; nothing where there is no choice."""
    if not further:
        return ()
    names = (engine for engine in EngineName if engine in (EngineName.HAKKEN, *further))
    return tuple(
        OptionLink(
            ENGINE_LABELS[engine], options.with_changes(engine=engine), options.engine is engine
        )
        for engine in names
    )


def build_adult_link(options: QueryOptions) -> OptionLink:
    """Whether what is for adults only is shown."""
    label = "Leave out adult titles" if options.adult else "Add adult titles"
    return OptionLink(label, options.with_changes(adult=not options.adult))


def build_title_language_link(options: QueryOptions) -> OptionLink:
    """What anime are called."""
    if options.english:
        return OptionLink("Romaji titles", options.with_changes(title=TitleLanguage.ROMAJI))
    return OptionLink("English titles", options.with_changes(title=TitleLanguage.ENGLISH))


def build_more_link(options: QueryOptions, shown: int) -> OptionLink | None:
    """Further titles, unless fewer than asked for are ``shown`` or there may be no more."""
    if not shown == options.top < MAX_TOP:
        return None
    longer = options.with_changes(top=min(options.top + TOP_STEP, MAX_TOP))
    return OptionLink(f"{longer.top - options.top} more titles", longer)


def _build_card(
    item: RecommendedItem, catalogue: Catalogue, options: QueryOptions, source: str
) -> RecommendationCard:
    anime, english = catalogue.get_anime(item.anime_id), options.english
    reasons = build_rated_titles(item.contributions, catalogue, english=english)
    return RecommendationCard(
        rank=item.rank,
        anime=anime,
        title=anime.display_title(english=english),
        alternative_title=anime.alternate_title(english=english),
        fact_labels=tuple(describe_anime(anime)),
        genres=anime.genres[:MAX_CARD_GENRES],
        match=clamp_percent(item.match),
        score=f"{item.predicted_score:.1f}",
        expected_error=f"{item.expected_error:.1f}",
        source_link=source_link(anime, source),
        franchise_rest=item.more_of_franchise,
        few_users=item.rarely_listed,
        rated_reasons=tuple(reason for reason in reasons if reason.score),
        unrated_reasons=tuple(reason for reason in reasons if not reason.score),
        initial=poster_initial(anime.display_title(english=english)),
        tint=item.anime_id % POSTER_TINTS,
        hide_link=OptionLink(
            "Not for me", options.with_changes(hide=add_hidden(options.hide, item.anime_id))
        ),
    )


def build_rated_titles(
    contributions: Iterable[Contribution], catalogue: Catalogue, *, english: bool
) -> tuple[RatedTitle, ...]:
    """The titles behind a number, as they are shown."""
    return tuple(
        RatedTitle(
            catalogue.title(why.anime_id, english=english),
            format_score(why.score) if why.score else None,
        )
        for why in contributions
    )


def clamp_percent(value: float) -> int:
    """A match or a chance as shown: never quite certain, never quite impossible."""
    return min(99, max(1, round(value)))


def add_hidden(hidden: tuple[int, ...], anime_id: int) -> tuple[int, ...]:
    """The latest last; of too many the earliest goes."""
    return (*hidden, anime_id)[-MAX_MARKS:]


def describe_anime(anime: Anime) -> list[str]:
    """Type, year and length, as far as they are known."""
    facts = [anime.type or "", str(anime.year or "")]
    if anime.episodes and anime.episodes > 1:
        facts.append(f"{anime.episodes:,} episodes")
    return [fact for fact in facts if fact]


def poster_initial(title: str) -> str:
    """What stands where a poster is missing."""
    return next((letter for letter in title if letter.isalnum()), "?").upper()


def format_score(score: float) -> str:
    """A score without a needless digit."""
    return f"{score:.1f}".removesuffix(".0")


def _build_notes(
    answer: RecommendationResult, anime_list: AnimeList, options: QueryOptions
) -> list[str]:
    user = answer.profile
    rated, unknown, planned = len(user.rated), len(user.unknown_ids), len(user.planned)
    total = len(anime_list.entries) + anime_list.unmapped
    notes = []
    if total and not answer.is_personalized:
        notes.append(
            "These are general picks, popular and well rated, because the list holds nothing that "
            "Hakken can use."
        )
    elif answer.is_personalized and not rated:
        notes.append(
            "The list holds no scores, so the picks rest on what you watched. Score what you have "
            "seen, and they get closer to your taste."
        )
    elif answer.is_personalized and rated < FEW_RATINGS:
        notes.append(
            f"Only {_count_noun(rated, 'scored title')} could be used. Score more of what you have "
            "seen, and the picks get closer to your taste."
        )
    if unknown:
        notes.append(
            f"{unknown:,} of the {_count_noun(total, 'title')} could not be used: too new for Hakken’s "
            "data, or rated by too few fans."
        )
    if anime_list.unmapped:
        notes.append(
            f"{_count_noun(anime_list.unmapped, 'title')} could not be matched with MyAnimeList, "
            "by whose numbers Hakken knows anime."
        )
    if options.ignore_dropped:
        notes.append("What you dropped without a score is not taken for a dislike.")
    if planned and options.planned is PlannedMode.NO:
        notes.append(f"Left out: {_count_noun(planned, 'title')} you already plan to watch.")
    return notes


def _count_noun(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
