"""What the page of two fans shows, worked out to the last word but not yet HTML."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.lists.entry import AnimeList
from app.recommender import GroupResult
from app.recommender.group import GroupRecommendation, MemberScore
from app.web.presenters.filter_form import FilterForm, OptionLink, build_filter_form
from app.web.presenters.pair_comparison import (
    ComparisonSection,
    SimilarityText,
    build_comparison_sections,
    count_noun,
    describe_similarity,
)
from app.web.presenters.results import (
    MAX_CARD_GENRES,
    POSTER_TINTS,
    RatedTitle,
    add_hidden,
    build_adult_link,
    build_engine_links,
    build_more_link,
    build_order_links,
    build_rated_titles,
    build_title_language_link,
    clamp_percent,
    describe_anime,
    poster_initial,
)
from app.web.requests.query import PlannedMode, QueryOptions
from app.web.services.recommend import FilteredResult
from app.web.state import Library

PAIR_PLANNED_LABELS = {
    PlannedMode.NO: "Show as well",
    PlannedMode.ONLY: "Show only what one of us plans",
}


@dataclass(frozen=True, slots=True)
class MemberCard:
    """What a card says of one of the two."""

    name: str
    match: int
    score: str
    planned: bool
    reasons: tuple[RatedTitle, ...]
    personal: bool


@dataclass(frozen=True, slots=True)
class PairCard:
    """One recommendation for both."""

    rank: int
    anime: Anime
    title: str
    alternative_title: str | None
    fact_labels: tuple[str, ...]
    genres: tuple[str, ...]
    match: int
    members: tuple[MemberCard, MemberCard]
    franchise_rest: int
    initial: str
    tint: int
    hide_link: OptionLink


@dataclass(frozen=True, slots=True)
class PairPage:
    """The whole page."""

    names: tuple[str, str]
    similarity: SimilarityText
    cards: tuple[PairCard, ...]
    sections: tuple[ComparisonSection, ...]
    notes: tuple[str, ...]
    order_links: tuple[OptionLink, ...]
    engine_links: tuple[OptionLink, ...]
    adult_link: OptionLink
    title_language_link: OptionLink
    more_link: OptionLink | None
    filter_form: FilterForm
    data_date: str


def build_pair_page(
    library: Library,
    filtered: FilteredResult[GroupResult],
    lists: tuple[AnimeList, AnimeList],
    names: tuple[str, str],
    options: QueryOptions,
) -> PairPage:
    """Everything that the page says about two fans."""
    result, catalogue = filtered.result, library.catalogue
    return PairPage(
        names=names,
        similarity=describe_similarity(result.comparison.similarity, names),
        cards=tuple(
            _build_pair_card(item, names, result.is_personalized, catalogue, options)
            for item in result.recommendations
        ),
        sections=build_comparison_sections(result, names, catalogue, english=options.english),
        notes=tuple(_build_notes(result, lists, names)),
        order_links=build_order_links(options) if any(result.is_personalized) else (),
        engine_links=build_engine_links(options, library.model.engines)
        if any(result.is_personalized)
        else (),
        adult_link=build_adult_link(options),
        title_language_link=build_title_language_link(options),
        more_link=build_more_link(options, len(result.recommendations)),
        filter_form=build_filter_form(library, filtered, options, PAIR_PLANNED_LABELS),
        data_date=library.model.manifest.created[:10],
    )


def _build_pair_card(
    item: GroupRecommendation,
    names: tuple[str, str],
    personal: tuple[bool, bool],
    catalogue: Catalogue,
    options: QueryOptions,
) -> PairCard:
    anime, english = catalogue.get_anime(item.anime_id), options.english

    def member_card(at: int, fan: MemberScore) -> MemberCard:
        return MemberCard(
            name=names[at],
            match=clamp_percent(fan.match),
            score=f"{fan.predicted_score:.1f}",
            planned=fan.planned,
            reasons=build_rated_titles(fan.contributions, catalogue, english=english),
            personal=personal[at],
        )

    return PairCard(
        rank=item.rank,
        anime=anime,
        title=anime.display_title(english=english),
        alternative_title=anime.alternate_title(english=english),
        fact_labels=tuple(describe_anime(anime)),
        genres=anime.genres[:MAX_CARD_GENRES],
        match=clamp_percent(item.match),
        members=(member_card(0, item.members[0]), member_card(1, item.members[1])),
        franchise_rest=item.more_of_franchise,
        initial=poster_initial(anime.display_title(english=english)),
        tint=item.anime_id % POSTER_TINTS,
        hide_link=OptionLink(
            "Not for us", options.with_changes(hide=add_hidden(options.hide, item.anime_id))
        ),
    )


def _build_notes(
    result: GroupResult, lists: tuple[AnimeList, AnimeList], names: tuple[str, str]
) -> list[str]:
    notes = []
    for name, anime_list, user, personal in zip(
        names, lists, result.profiles, result.is_personalized, strict=True
    ):
        if not personal:
            notes.append(
                f"{name}’s list holds nothing that Hakken can use, so it is taken for that of a "
                "typical fan."
            )
        elif not len(user.rated):
            notes.append(f"{name}’s list holds no scores, so it speaks by what was watched.")
        missing = len(user.unknown_ids) + anime_list.unmapped
        if missing:
            notes.append(f"{count_noun(missing, 'title')} of {name}’s list could not be used.")
        if anime_list.age:
            minutes = count_noun((anime_list.age + 59) // 60, "minute")
            notes.append(f"{name}’s list is {minutes} old: the site does not answer right now.")
    return notes
