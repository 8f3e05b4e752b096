"""What every page shows, built once from a model before it comes into use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.catalogue import TitleLanguage
from app.lists.entry import AnimeList, ListEntry
from app.recommender import (
    ArtifactError,
    GroupResult,
    ItemEstimates,
    RecommendationResult,
    RecommendOptions,
    WatchStatus,
    estimate_items,
    recommend,
    recommend_group,
)
from app.recommender.fold_in import fold_in
from app.recommender.trial import trial_list
from app.schemas.base import Schema, adapter_of, to_json
from app.schemas.recommendations import RecommendationsResponse
from app.web.presenters.anime_page import anime_page_context
from app.web.presenters.answers import (
    anime_answer,
    pair_answer,
    recommendations_answer,
    search_answer,
    similar_anime_answer,
    similar_users_answer,
)
from app.web.presenters.model_quality import load_model_quality, second_stage_result
from app.web.presenters.pair_page import build_pair_page
from app.web.presenters.results import build_results_page
from app.web.presenters.taste_summary import summarize_taste
from app.web.requests.query import ResultsOptions, SimilarQuery, SimilarUsersOptions
from app.web.services.anime import find_anime
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult
from app.web.services.shelves import build_shelves
from app.web.services.showcase import known_anime, season_anime
from app.web.services.similar_users import find_similar_users
from app.web.services.user_lists import to_user_list
from app.web.services.worked_example import build_worked_example

TRIAL_SIMILAR = 5


def try_pages(library: Library) -> None:
    """Build the data of every page and of every answer of the API.

    Raises ArtifactError: one cannot be built, or is not what the API says it is.
    """
    try:
        model, options = library.model, RecommendOptions(franchises=library.franchises)
        estimates = estimate_items(model, trial_list(model))
        one, other = (fold_in(model, to_user_list(each)) for each in _trial_lists(library))
        # Not by the services, which count what visitors ask.
        filtered = FilteredResult(recommend(model, estimates, options), [], [], is_past_end=False)
        pair = FilteredResult(
            recommend_group(model, one, other, options), [], [], is_past_end=False
        )
        for answer in _answers(library, filtered, pair):
            # What has no number where the schema promises one is refused here.
            adapter_of(type(answer)).validate_json(to_json(answer))
        for page in _pages(library, estimates, filtered, pair):
            repr(page).encode()  # a lone surrogate cannot be sent
    except Exception as error:
        line = " ".join(str(error).split())[:300]
        raise ArtifactError(
            f"model {library.model.version}: a page cannot be built from it "
            f"({type(error).__name__}: {line})."
        ) from error


def _trial_lists(library: Library) -> tuple[AnimeList, AnimeList]:
    listed = trial_list(library.model)
    columns = (column.tolist() for column in (listed.anime_id, listed.score, listed.status))
    entries = tuple(
        ListEntry(anime_id, WatchStatus(status), score or None)
        for anime_id, score, status in zip(*columns, strict=True)
    )
    return AnimeList("trial", "trial", entries), AnimeList("trial", "other", entries[::2])


def _answers(
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    pair: FilteredResult[GroupResult],
) -> Iterator[Schema]:
    lists, options = _trial_lists(library), ResultsOptions()
    yield recommendations_answer(library, filtered, options)
    yield pair_answer(library, pair, lists, options)
    if library.model.training_users:
        own = SimilarUsersOptions()
        found = find_similar_users(library, lists[0], own)
        yield similar_users_answer(library, found.result, own, lists[0])
    for anime, position in _trial_anime(library):
        yield anime_answer(library, anime, position)
        few = SimilarQuery(top=TRIAL_SIMILAR)
        yield similar_anime_answer(library, anime.anime_id, position, few)
        yield search_answer(library.search(anime.title[:50], TRIAL_SIMILAR))


def _pages(
    library: Library,
    estimates: ItemEstimates,
    filtered: FilteredResult[RecommendationResult],
    pair: FilteredResult[GroupResult],
) -> Iterator[Any]:
    library = library.in_language(TitleLanguage.ENGLISH)
    lists, options = _trial_lists(library), ResultsOptions(title=TitleLanguage.ENGLISH)
    answer = RecommendationsResponse.build(filtered.result, library.catalogue)
    yield build_results_page(library, filtered, answer, lists[0], options)
    shelves = build_shelves(library, estimates, options, filtered.result)
    yield shelves, [library.catalogue.get_anime(item.anime_id) for s in shelves for item in s.items]
    yield known_anime(library, TRIAL_SIMILAR), season_anime(library)
    yield summarize_taste(library.model, library.attributes, filtered.result.profile)
    both = pair_answer(library, pair, lists, options)
    yield build_pair_page(library, pair, both, lists, ("one", "other"), options)
    for anime, position in _trial_anime(library):
        yield anime_page_context(library, anime, position)
    yield load_model_quality(library.model)
    yield second_stage_result(library.model)
    yield build_worked_example(library, lists[0])
    yield library.model.manifest


def _trial_anime(library: Library) -> Iterator[tuple[Any, int]]:
    for anime_id in trial_list(library.model, 2).anime_id.tolist():
        if anime_id in library.catalogue:
            yield find_anime(library, anime_id)
