"""Small dumps to be prepared, and what should come out of them, said in plain Python."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.generate.__main__ import write_dump
from benchmarks.generate.population import make_population
from model_build.data.dumps.formats import DUMP_FORMATS, RatingsFileFormat
from model_build.data.dumps.prepared import open_prepared_dataset, read_partition

Entry = tuple[int, int, int]
"""Anime, score (0 for none), status."""
STATUSES = {0, 1, 2, 3, 4, 6}


def generated(
    folder: Path, dataset: str, *, ratings: int = 4000, fans: int = 90, anime: int = 300
) -> dict[str, int]:
    """A made-up dump; returns what is told of it."""
    folder.mkdir(parents=True)
    return write_dump(make_population(ratings, fans, anime, seed=5), dataset, folder)


def lists_of(dataset: str) -> RatingsFileFormat:
    """The file of lists that is preferred."""
    return DUMP_FORMATS[dataset].ratings_files[0]


def expected(text: str, lists: RatingsFileFormat, fewest: int = 5) -> Counter[frozenset[Entry]]:
    """The cleaned list of every fan: last entries, fans first, then anime, no bots here."""
    fans: dict[str, dict[int, Entry]] = defaultdict(dict)
    for row in csv.DictReader(io.StringIO(text)):
        score = int(row[lists.score_column])
        if not (score == -1 or 0 <= score <= 10):
            continue
        status = int(row[lists.status_column]) if lists.status_column else int(lists.default_status)
        anime = int(row[lists.anime_column])
        entry = (anime, max(score, 0), status if status in STATUSES else 0)
        fans[row[lists.user_column]][anime] = entry
    kept = [own for own in fans.values() if len(own) >= fewest]
    count = Counter(anime for own in kept for anime in own)
    cleaned = (
        frozenset(entry for anime, entry in own.items() if count[anime] >= fewest) for own in kept
    )
    return Counter(own for own in cleaned if own)


def found(folder: Path) -> Counter[frozenset[Entry]]:
    """The list of every fan in a prepared folder."""
    fans: dict[int, set[Entry]] = defaultdict(set)
    for partition in open_prepared_dataset(folder).partitions:
        columns = read_partition(folder, partition)
        rows = zip(
            columns.user_id.tolist(),
            columns.anime_id.tolist(),
            columns.rating.tolist(),
            columns.status.tolist(),
            strict=True,
        )
        for fan, anime, score, status in rows:
            assert (anime, score, status) not in fans[fan]
            fans[fan].add((anime, score, status))
    return Counter(frozenset(own) for own in fans.values())
