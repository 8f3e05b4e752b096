"""What of a dump is kept: rules that those who use these dumps apply, in a fixed order.

Each rule is applied once: repeated entries, then fans, then anime by the entries of the fans that
are left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray
from model_build.data.dumps.external_sort import EntryArray
from model_build.util.errors import InputError

ANIME_BITS, POSITION_BITS = 24, 27
"""Of the 64 bits by which entries are sorted; the other 13 number the fans of a partition."""


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """The rules; 0 turns one off.

    A fan needs ``min_fan_entries`` entries and an anime ``min_anime_entries``, scored or not. Who
    scored more than ``max_fan_scores`` is taken for a bot, and who gave ``same_score`` or more
    scores that are all the same says nothing by them.
    """

    min_fan_entries: int = 5
    max_fan_scores: int = 5000
    same_score: int = 100
    min_anime_entries: int = 5


@dataclass(slots=True)
class DropCounts:
    """Entries and fans dropped, by reason."""

    entries: Counter[str]
    users: Counter[str]

    @classmethod
    def empty(cls) -> DropCounts:
        return cls(Counter(), Counter())

    def add(self, other: DropCounts) -> None:
        self.entries.update(other.entries)
        self.users.update(other.users)


def drop_duplicate_entries(entries: EntryArray, dropped: DropCounts) -> EntryArray:
    """Sorted by fan and anime; of entries for the same anime the last in the file counts.

    Raises:
        InputError: a range of fans has more entries than can be numbered.
    """
    if len(entries) >> POSITION_BITS:
        raise InputError(f"{len(entries):,} entries of a few thousand fans are no lists.")
    base = int(entries["fan"].min()) if len(entries) else 0
    key = (entries["fan"] - base).astype(np.uint64) << np.uint64(ANIME_BITS)
    key = (key | entries["anime"].astype(np.uint64)) << np.uint64(POSITION_BITS)
    key |= np.arange(len(entries), dtype=np.uint64)
    key.sort()
    pair = key >> np.uint64(POSITION_BITS)
    last = np.ones(len(entries), bool)
    last[:-1] = pair[1:] != pair[:-1]
    place = (key[last] & np.uint64((1 << POSITION_BITS) - 1)).astype(np.int64)
    dropped.entries["the same anime again; the last entry counts"] += len(entries) - len(place)
    return entries[place]


def drop_outlier_users(
    entries: EntryArray, rules: CleaningRules, dropped: DropCounts
) -> EntryArray:
    """Drop whole fans; ``entries`` are sorted by fan."""
    if not len(entries):
        return entries
    start = np.flatnonzero(np.concatenate([[True], np.diff(entries["fan"]) != 0]))
    size = np.diff(np.append(start, len(entries)))
    score = entries["score"].astype(np.int64)
    scored = np.add.reduceat((score > 0).astype(np.int64), start)
    highest = np.maximum.reduceat(score, start)
    lowest = np.minimum.reduceat(np.where(score > 0, score, 11), start)
    keep = np.ones(len(start), bool)

    def drop(why: str, wrong: BoolArray) -> None:
        wrong = wrong & keep
        dropped.users[why] += int(wrong.sum())
        dropped.entries[why] += int(size[wrong].sum())
        keep[wrong] = False

    drop(f"fans with fewer than {rules.min_fan_entries} entries", size < rules.min_fan_entries)
    if rules.max_fan_scores:
        drop(
            f"fans who scored more than {rules.max_fan_scores} anime", scored > rules.max_fan_scores
        )
    if rules.same_score:
        drop(
            f"fans who gave {rules.same_score} or more scores, all the same",
            (scored >= rules.same_score) & (highest == lowest),
        )
    kept: EntryArray = entries[np.repeat(keep, size)]
    return kept


def drop_rare_items(
    entries: EntryArray, rare: BoolArray, rules: CleaningRules, dropped: DropCounts
) -> EntryArray:
    """Drop the entries of anime marked in ``rare`` (by id), and fans who then have none."""
    wrong = rare[entries["anime"]]
    if not wrong.any():
        return entries
    kept: EntryArray = entries[~wrong]
    why = f"anime with fewer than {rules.min_anime_entries} entries"
    dropped.entries[why] += int(wrong.sum())
    dropped.users[why] += len(np.unique(entries["fan"])) - len(np.unique(kept["fan"]))
    return kept
