"""How alike two users are, and the lists beside their recommendations, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.recommender.user_similarity import MIN_SHARED_ITEMS, UserSimilarity
from app.schemas.anime import AnimeTitle
from app.schemas.pair import PairRecommendationsResponse, SharedItemSchema, SuggestionSchema
from app.translation import format_number, gettext, mark, ngettext
from app.web.presenters.text import clamp_percent, format_score

# From this chance on it is called so.
SIMILARITY_LABELS = (
    (0.9, mark("Very much alike")),
    (0.7, mark("Rather alike")),
    (0.3, mark("About as alike as any two fans")),
    (0.1, mark("Rather different")),
    (0.0, mark("Very different")),
)


@dataclass(frozen=True, slots=True)
class ComparisonEntry:
    """An anime of one of the lists beside the cards."""

    anime: AnimeTitle
    label: str


@dataclass(frozen=True, slots=True)
class ComparisonSection:
    """A list beside the cards: its ``id`` on the page, and what to say if it is empty."""

    id: str
    title: str
    description: str
    rows: tuple[ComparisonEntry, ...]
    empty_text: str


@dataclass(frozen=True, slots=True)
class SimilarityText:
    """How alike they are. ``percent`` is None where too little is shared to tell."""

    label: str
    percent: int | None
    explanation: str


def describe_similarity(similarity: UserSimilarity, names: tuple[str, str]) -> SimilarityText:
    """Word the similarity and what it rests on; no percentage where too little is shared."""
    one, other = names
    shared = {"one": one, "other": other}
    too_early, count = gettext("Too early to tell"), similarity.shared_seen
    if not count:
        explanation = gettext(
            "There is no title that both %(one)s and %(other)s have seen.", **shared
        )
        return SimilarityText(too_early, None, explanation)
    seen = ngettext(
        "%(one)s and %(other)s have both seen %(count)s title.",
        "%(one)s and %(other)s have both seen %(count)s titles.",
        count,
        **shared,
    )
    scored = similarity.shared_scored
    if similarity.probability is None:
        if not scored:
            why = gettext(
                "Both scored none of them. From %(least)s on Hakken says how alike their tastes "
                "are.",
                least=MIN_SHARED_ITEMS,
            )
        elif scored < MIN_SHARED_ITEMS:
            why = gettext(
                "Both scored %(scored)s of them. From %(least)s on Hakken says how alike their "
                "tastes are.",
                scored=scored,
                least=MIN_SHARED_ITEMS,
            )
        else:
            why = gettext(
                "One of them scores exactly as was to be expected, so nothing can be compared."
            )
        return SimilarityText(too_early, None, f"{seen} {why}")
    label = next(label for least, label in SIMILARITY_LABELS if similarity.probability >= least)
    why = gettext(
        "Both scored %(scored)s of them. Compared is how far each scored them above or below what "
        "was to be expected. Their scores for the same title lie %(difference)s apart on average.",
        scored=format_number(scored),
        difference=f"{similarity.mean_difference or 0:.1f}",
    )
    percent = clamp_percent(100 * similarity.probability)
    return SimilarityText(gettext(label), percent, f"{seen} {why}")


def build_comparison_sections(
    answer: PairRecommendationsResponse, names: tuple[str, str]
) -> tuple[ComparisonSection, ...]:
    """List favourites, disagreements, and what each loved that the other has not seen."""
    one, other = names

    def shared_rows(items: Iterable[SharedItemSchema]) -> tuple[ComparisonEntry, ...]:
        return tuple(
            ComparisonEntry(
                each,
                gettext(", ").join(
                    (f"{one} {format_score(first)}", f"{other} {format_score(second)}")
                ),
            )
            for each in items
            for first, second in [each.scores]
        )

    def suggestion_rows(
        items: Iterable[SuggestionSchema], giver: str
    ) -> tuple[ComparisonEntry, ...]:
        return tuple(
            ComparisonEntry(
                each,
                gettext(
                    "%(name)s %(score)s, match %(match)s %%",
                    name=giver,
                    score=format_score(each.score),
                    match=clamp_percent(each.match),
                ),
            )
            for each in items
        )

    return (
        ComparisonSection(
            "favourites",
            gettext("Favourites of both"),
            gettext("In the best scored quarter of both lists."),
            shared_rows(answer.favourites),
            gettext("There is none yet."),
        ),
        ComparisonSection(
            "disagreements",
            gettext("Where they disagree most"),
            gettext("One scored it above, the other below what was to be expected."),
            shared_rows(answer.disagreements),
            gettext("They do not disagree much on any title that both scored."),
        ),
        ComparisonSection(
            "for-second",
            gettext("What %(one)s loved and %(other)s has not seen", one=one, other=other),
            gettext(
                "Of %(one)s’s favourites, what should suit %(other)s best.", one=one, other=other
            ),
            suggestion_rows(answer.first_loved, one),
            gettext("There is nothing left."),
        ),
        ComparisonSection(
            "for-first",
            gettext("What %(one)s loved and %(other)s has not seen", one=other, other=one),
            gettext(
                "Of %(one)s’s favourites, what should suit %(other)s best.", one=other, other=one
            ),
            suggestion_rows(answer.second_loved, other),
            gettext("There is nothing left."),
        ),
    )
