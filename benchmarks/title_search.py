"""How long a search by title takes, beside comparing the search with every name.

The searches are the first three words of drawn titles, half of them with two letters swapped.
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

from rapidfuzz import fuzz, process

from app.catalogue import Catalogue
from app.recommender.artifact import CATALOGUE_FILE
from app.settings import BUNDLED_MODEL_DIR
from app.title_search import TitleIndex, normalize_text
from benchmarks.arguments import positive_int

LIMIT = 12
"""Anime that a search on a page asks for."""
SCAN_CUTOFF = 72.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench_search", description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL_DIR)
    parser.add_argument("--searches", type=positive_int, default=200)
    options = parser.parse_args(arguments)
    catalogue = Catalogue.open(options.model / CATALOGUE_FILE)
    ids = catalogue.anime_ids()
    start = time.perf_counter()
    index = TitleIndex(catalogue, ids)
    build_s = time.perf_counter() - start
    names = [
        normalize_text(name)
        for column in ("title", "title_english")
        for name in catalogue.column_values(column, ids)
        if name
    ]
    queries = _draw_queries(catalogue, options.searches)
    for query in queries:  # what is made when it is first needed
        index.search(query, LIMIT)
    ours = _measure_ms(lambda query: index.search(query, LIMIT), queries)
    theirs = _measure_ms(lambda query: _scan(query, names), queries)
    print(f"{len(ids):,} anime; {len(queries)} searches\n")
    print(f"{'':<36}{'scan':>10}{'Hakken':>10}{'ratio':>9}")
    for what, part in (("median", 0.5), ("95 of 100 below", 0.95), ("slowest", 1.0)):
        scan, found = (_quantile(times, part) for times in (theirs, ours))
        print(f"{f'a search, {what}, ms':<36}{scan:>10.2f}{found:>10.2f}{scan / found:>8.0f}x")
    print(f"{'preparing s':<46}{build_s:>10.2f}")
    print(f"{'memory of what is prepared MB':<46}{_memory_mb(catalogue, ids):>10.1f}")


def _draw_queries(catalogue: Catalogue, count: int) -> list[str]:
    """Draw searches, the same each time."""
    draw = random.Random(0)
    ids = sorted(catalogue.anime_ids())
    queries = []
    for at, anime_id in enumerate(draw.choices(ids, k=count)):
        query = " ".join(catalogue.title(anime_id).split()[:3])
        swapped = draw.randrange(max(1, len(query) - 1))
        if at % 2:
            query = query[:swapped] + query[swapped : swapped + 2][::-1] + query[swapped + 2 :]
        queries.append(query)
    return queries


def _scan(query: str, names: Sequence[str]) -> None:
    process.extract(
        normalize_text(query), names, scorer=fuzz.WRatio, score_cutoff=SCAN_CUTOFF, limit=LIMIT
    )


def _measure_ms(search: Callable[[str], object], queries: Sequence[str]) -> list[float]:
    times = []
    for query in queries:
        start = time.perf_counter()
        search(query)
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)


def _quantile(ascending: Sequence[float], part: float) -> float:
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))]


def _memory_mb(catalogue: Catalogue, ids: Sequence[int]) -> float:
    tracemalloc.start()
    index = TitleIndex(catalogue, ids)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del index
    return size / 1e6


if __name__ == "__main__":
    main()
