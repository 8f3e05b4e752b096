"""Scores of files, brought to 1..10. Which scale they are on is decided once for a whole file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from app.lists.normalize import normalize_score

MIN_SCORES: Final = 10
"""Fewer scores do not show that they are on a scale of five stars or three smileys."""
_MIN_ABOVE_TEN = 3
"""Fewer above 10 are slips, in a file whose scores are otherwise of 10."""
_BEYOND_ANY_SCALE: Final = 10**6
_SMILEYS: Final = {1.0: 3.5, 2.0: 6.0, 3.0: 8.5}
"""What AniList makes of them: 35, 60 and 85 of 100."""
_FACES: Final = {
    **dict.fromkeys((":(", ":-(", "😞", "🙁", "☹", "☹️"), 1.0),
    **dict.fromkeys((":|", ":-|", "😐"), 2.0),
    **dict.fromkeys((":)", ":-)", "🙂", "😊", "😃", "☺", "☺️"), 3.0),
}
_NUMBER = r"[0-9]{1,3}(?:[.,][0-9]{1,6})?"
_SCORE = re.compile(rf"({_NUMBER})(?:\s*(?:/\s*(100|20|10|5|3)|(%)))?")
_STARS = re.compile(r"([★⭐]{1,10})([☆✩]{0,10})(½?)")

Score = tuple[float, int | None]
"""What was given, and out of how many where the row itself says that."""


def parse_score(value: Any) -> Score | None:
    """Read a score: a number, ``8/10``, ``80 %``, stars or a smiley; None where there is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return (float(value), None) if 0 < value < _BEYOND_ANY_SCALE else None
    text = str(value).strip()
    if text in _FACES:
        return _FACES[text], 3
    if found := _STARS.fullmatch(text):
        full, empty, half = found.groups()
        count = len(full) + len(half) / 2
        return count, 10 if len(full) + len(empty) > 5 else 5
    if not (found := _SCORE.fullmatch(text)):
        return None
    score = float(found[1].replace(",", "."))
    top = 100 if found[3] else int(found[2]) if found[2] else None
    return (score, top) if score > 0 else None


def decide_scale(scores: Iterable[Score | None], tops: Sequence[int]) -> int:
    """Return the top of a file's scale: one of ``tops``, the usual first, or what the rows say.

    Where several are possible, most scores above 10 are of 100; five stars and three smileys are
    believed where nothing is above and the top itself was given.

    >>> decide_scale([(90.0, None), (75.0, None), (9.0, None)], (100, 10, 5, 3))
    100
    >>> decide_scale([(5.0, None)] * 12, (100, 10, 5, 3))
    5
    """
    given = [each for each in scores if each]
    said = Counter(top for _, top in given if top)
    if said:
        return said.most_common(1)[0][0]
    if len(tops) == 1 or not given:
        return tops[0]
    values = [value for value, _ in given]
    above_ten = sum(value > 10 for value in values)
    enough = 1 if tops[0] == 100 else _MIN_ABOVE_TEN
    if 100 in tops and above_ten >= enough and 2 * above_ten > len(values):
        return 100
    if len(values) >= MIN_SCORES and max(values) in tops and max(values) in (3, 5):
        return int(max(values))
    return 10


def to_ten(score: Score | None, top: int) -> float | None:
    """Return a score on the scale of 1..10; None for what is above the scale's top."""
    if score is None or score[0] > top:
        return None
    if top == 3:
        return _SMILEYS.get(score[0])
    return normalize_score(score[0] * 10 / top)
