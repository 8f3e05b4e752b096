"""Fits the weights of `model_build.data.age_ratings` to the anime whose rating is known.

A rating has three boundaries: from children's to PG-13, to R, and to R+. Each is a logistic
regression on the words that say what an anime is about, with an L1 penalty, so that few of them
count. Measured are ratings of anime that were left out, a fifth of them at a time.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from app.age_rating import AgeRating
from app.recommender.array_types import BoolArray, Float64Array
from model_build.data.age_ratings import (
    MIN_PROBABILITY,
    WEIGHTS_FILE,
    WORD_COLUMNS,
    read_rating,
    related_rating,
)

MIN_ANIME = 15
"""Anime of known rating of which a word must be said."""
INVERSE_PENALTY = 0.25
FOLDS = 5
SHOWN = (AgeRating.PG, AgeRating.PG13, AgeRating.R17, AgeRating.RPLUS)
"""The ratings that are told apart: G counts as PG."""


def main(path: Path) -> None:
    rows = [row for row in pl.read_parquet(path).to_dicts() if read_rating(row["age_rating"])]
    known = {row["anime_id"]: read_rating(row["age_rating"]) or AgeRating.G for row in rows}
    level = np.array([max(rating.level, AgeRating.PG.level) for rating in known.values()])
    targets = {rating: _target(level, rating) for rating in MIN_PROBABILITY}
    words = [_words(row) for row in rows]
    count = Counter(word for each in words for word in each)
    vocabulary = sorted(word for word, anime in count.items() if anime >= MIN_ANIME)
    features = np.array([[word in each for word in vocabulary] for each in words], np.float64)

    fold = np.random.default_rng(0).integers(0, FOLDS, len(rows))
    likely = {rating: np.zeros(len(rows), bool) for rating in MIN_PROBABILITY}
    for test in (fold == each for each in range(FOLDS)):
        for rating, minimum in MIN_PROBABILITY.items():
            model = _fit(features[~test], targets[rating][~test])
            likely[rating][test] = model.predict_proba(features[test])[:, 1] >= minimum
    inferred = np.select(
        [likely[AgeRating.RPLUS], likely[AgeRating.R17], likely[AgeRating.PG]],
        [AgeRating.RPLUS.level, AgeRating.R17.level, AgeRating.PG.level],
        AgeRating.PG13.level,
    )
    _print_confusion("by words", level, inferred)
    related = [related_rating(row["relations"] or "", known) for row in rows]
    has = np.array([each is not None for each in related])
    near = np.array([max(each.level, AgeRating.PG.level) if each else -1 for each in related])
    _print_confusion("by relatives", level[has], near[has])

    weights = {}
    for rating, target in targets.items():
        model = _fit(features, target)
        pairs = zip(vocabulary, model.coef_[0].round(2).tolist(), strict=True)
        weights[rating.value] = {word: weight for word, weight in pairs if weight}
        weights[rating.value][""] = round(float(model.intercept_[0]), 2)
    WEIGHTS_FILE.write_text(json.dumps(weights, indent=1, sort_keys=True) + "\n", "utf-8")


def _words(row: dict[str, str | None]) -> set[str]:
    labels = [word for name in WORD_COLUMNS for word in (row[name] or "").lower().split(";")]
    return {*filter(None, labels), f"type:{(row['type'] or '').lower()}"}


def _target(level: np.ndarray, rating: AgeRating) -> BoolArray:
    return level <= rating.level if rating is AgeRating.PG else level >= rating.level


def _fit(features: Float64Array, target: BoolArray) -> LogisticRegression:
    model = LogisticRegression(
        C=INVERSE_PENALTY, l1_ratio=1.0, solver="liblinear", random_state=0, max_iter=1000
    )
    return model.fit(features, target)


def _print_confusion(how: str, level: np.ndarray, inferred: np.ndarray) -> None:
    right, below = np.mean(inferred == level), np.mean(inferred < level)
    print(f"{len(level):,} anime {how}: {right:.1%} right, {below:.1%} too mild\n")
    print(f"| known | {' | '.join(f'inferred {rating.label}' for rating in SHOWN)} |")
    print(f"|---|{'---|' * len(SHOWN)}")
    for rating in SHOWN:
        row = inferred[level == rating.level]
        counts = " | ".join(str(int(np.sum(row == each.level))) for each in SHOWN)
        print(f"| {rating.label} | {counts} |")
    print()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
