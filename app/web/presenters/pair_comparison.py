"""How alike two users are, and the lists beside their recommendations, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.recommender.user_similarity import MIN_SHARED_ITEMS, UserSimilarity
from app.schemas.anime import AnimeTitle
from app.schemas.pair import PairRecommendationsResponse, SharedItemSchema, SuggestionSchema
from app.web.presenters.text import clamp_percent, count_noun, format_score

# From this chance on it is called so.
SIMILARITY_LABELS = (
    (0.9, "Very much alike"),
    (0.7, "Rather alike"),
    (0.3, "About as alike as any two fans"),
    (0.1, "Rather different"),
    (0.0, "Very different"),
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
    seen = f"{one} and {other} have both seen {count_noun(similarity.shared_seen, 'title')}"
    if not similarity.shared_seen:
        explanation = f"There is no title that both {one} and {other} have seen."
        return SimilarityText("Too early to tell", None, explanation)
    if similarity.probability is None:
        if similarity.shared_scored < MIN_SHARED_ITEMS:
            why = (
                f"both scored {similarity.shared_scored or 'none'} of them. "
                f"From {MIN_SHARED_ITEMS} on Hakken says how alike their tastes are."
            )
        else:
            why = "one of them scores exactly as was to be expected, so nothing can be compared."
        return SimilarityText("Too early to tell", None, f"{seen}; {why}")
    label = next(label for least, label in SIMILARITY_LABELS if similarity.probability >= least)
    explanation = (
        f"{seen} and both scored {similarity.shared_scored:,}. Compared is how far each scored "
        "them above or below what was to be expected. Their scores for the same title lie "
        f"{similarity.mean_difference or 0:.1f} apart on average."
    )
    return SimilarityText(label, clamp_percent(100 * similarity.probability), explanation)


def build_comparison_sections(
    answer: PairRecommendationsResponse, names: tuple[str, str]
) -> tuple[ComparisonSection, ...]:
    """List favourites, disagreements, and what each loved that the other has not seen."""
    one, other = names

    def shared_rows(items: Iterable[SharedItemSchema]) -> tuple[ComparisonEntry, ...]:
        return tuple(
            ComparisonEntry(each, f"{one} {format_score(first)}, {other} {format_score(second)}")
            for each in items
            for first, second in [each.scores]
        )

    def suggestion_rows(
        items: Iterable[SuggestionSchema], giver: str
    ) -> tuple[ComparisonEntry, ...]:
        return tuple(
            ComparisonEntry(
                each, f"{giver} {format_score(each.score)}, match {clamp_percent(each.match)} %"
            )
            for each in items
        )

    return (
        ComparisonSection(
            "favourites",
            "Favourites of both",
            "In the best scored quarter of both lists.",
            shared_rows(answer.favourites),
            "There is none yet.",
        ),
        ComparisonSection(
            "disagreements",
            "Where they disagree most",
            "One scored it above, the other below what was to be expected.",
            shared_rows(answer.disagreements),
            "They do not disagree much on any title that both scored.",
        ),
        ComparisonSection(
            "for-second",
            f"What {one} loved and {other} has not seen",
            f"Of {one}’s favourites, what should suit {other} best.",
            suggestion_rows(answer.first_loved, one),
            "There is nothing left.",
        ),
        ComparisonSection(
            "for-first",
            f"What {other} loved and {one} has not seen",
            f"Of {other}’s favourites, what should suit {one} best.",
            suggestion_rows(answer.second_loved, other),
            "There is nothing left.",
        ),
    )
