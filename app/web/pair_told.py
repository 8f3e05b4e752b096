"""How alike two fans are, and the lists beside their recommendations, in words."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalogue import Catalogue
from app.recommender import Together
from app.recommender.likeness import LEAST_SHARED, Likeness, Verdict
from app.recommender.together import Tip
from app.web.view import number, percent

# From this chance on it is called so.
WORDS = (
    (0.9, "Very much alike"),
    (0.7, "Rather alike"),
    (0.3, "About as alike as any two fans"),
    (0.1, "Rather different"),
    (0.0, "Very different"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """An anime of one of the lists beside the cards, with what is told of it."""

    anime_id: int
    title: str
    told: str


@dataclass(frozen=True, slots=True)
class Section:
    """Such a list: its ``id`` on the page, what it is, and what to say if it is empty."""

    id: str
    title: str
    about: str
    rows: tuple[Row, ...]
    empty: str


@dataclass(frozen=True, slots=True)
class AlikeTold:
    """How alike they are. ``percent`` is None where too little is shared to tell."""

    word: str
    percent: int | None
    told: str


def alike_told(likeness: Likeness, names: tuple[str, str]) -> AlikeTold:
    """The likeness, with what it rests on; nothing where too little is shared."""
    one, other = names
    seen = f"{one} and {other} have both seen {counted(likeness.seen, 'title')}"
    if not likeness.seen:
        told = f"There is no title that both {one} and {other} have seen."
        return AlikeTold("Too early to tell", None, told)
    if likeness.chance is None:
        if likeness.scored < LEAST_SHARED:
            why = (
                f"both scored {likeness.scored or 'none'} of them. "
                f"From {LEAST_SHARED} on Hakken says how alike their tastes are."
            )
        else:
            why = "one of them scores exactly as was to be expected, so nothing can be compared."
        return AlikeTold("Too early to tell", None, f"{seen}; {why}")
    word = next(word for least, word in WORDS if likeness.chance >= least)
    told = (
        f"{seen} and both scored {likeness.scored:,}. Compared is how far each scored them above "
        "or below what was to be expected. Their scores for the same title lie "
        f"{likeness.gap or 0:.1f} apart on average."
    )
    return AlikeTold(word, percent(100 * likeness.chance), told)


def sections_told(
    found: Together, names: tuple[str, str], catalogue: Catalogue, *, english: bool
) -> tuple[Section, ...]:
    """Favourites, disagreements, and what each loved that the other has not seen."""
    one, other = names

    def rows(verdicts: tuple[Verdict, ...]) -> tuple[Row, ...]:
        return tuple(
            _row(each.anime_id, f"{one} {number(each.scores[0])}, {other} {number(each.scores[1])}")
            for each in verdicts
        )

    def tips(found: tuple[Tip, ...], giver: str) -> tuple[Row, ...]:
        return tuple(
            _row(
                each.anime_id,
                f"{giver} {number(each.score)}, match {percent(each.match)} %",
            )
            for each in found
        )

    def _row(anime_id: int, told: str) -> Row:
        return Row(anime_id, catalogue.title(anime_id, english=english), told)

    comparison = found.comparison
    return (
        Section(
            "favourites",
            "Favourites of both",
            "In the best scored quarter of both lists.",
            rows(comparison.favourites),
            "There is none yet.",
        ),
        Section(
            "disagreements",
            "Where they disagree most",
            "One scored it above, the other below what was to be expected.",
            rows(comparison.disagreements),
            "They do not disagree much on any title that both scored.",
        ),
        Section(
            "for-second",
            f"What {one} loved and {other} has not seen",
            f"Of {one}’s favourites, what should suit {other} best.",
            tips(found.tips[0], one),
            "There is nothing left.",
        ),
        Section(
            "for-first",
            f"What {other} loved and {one} has not seen",
            f"Of {other}’s favourites, what should suit {one} best.",
            tips(found.tips[1], other),
            "There is nothing left.",
        ),
    )


def counted(amount: int, thing: str) -> str:
    """``1 title``, ``2 titles``."""
    return f"{amount:,} {thing}" if amount == 1 else f"{amount:,} {thing}s"
