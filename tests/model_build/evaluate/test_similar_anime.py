"""Whether what is alike makes sense: counted, and how good each source of likeness is.

What every model has is looked at in the bundled one. Engines are fitted to made-up fans of its real
anime, who pick and score by franchise, studio and tags; most anime have next to no scores, as in
life.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.array_types import Float32Array
from app.recommender.similar_items import similar_items
from app.settings import PROJECT_ROOT
from model_build.cli import main
from model_build.data.interactions import Interactions
from model_build.data.ratings import Ratings, index_ratings
from model_build.engines.als import AlsSettings, als_engine, fit
from model_build.engines.registry import engine_in_memory, network_trainer
from model_build.evaluate.similar_anime import (
    LITTLE_RATED,
    NEAREST,
    SharedFacts,
    SimilarAnimeRow,
    measure_similar_anime,
)

TITLES, FANS, LENGTH, TAGS = 200, 900, 110, 60
MEAN_SCORE, NOISE = 7.0, 0.6
SMALL = {"size": 24, "batch": 2048, "validation": 20}
LONGER = {"epochs": 30, "patience": 30, "rate": 0.03}
SETTINGS = {
    "kernel": {**SMALL, "epochs": 4},
    "cosine": SMALL | LONGER | {"decay": 10.0},
    "mf": SMALL | LONGER,
}
FLOORS = {
    "similarity": (0.85, 0.15, 0.2),
    "affinity": (0.85, 0.2, 0.25),
    "als": (0.75, 0.03, 0.0),
    "kernel": (0.85, 0.2, 0.15),
    "cosine": (0.45, 0.02, 0.0),
    "mf": (0.6, 0.1, 0.05),
}
"""Of the nearest to the `TITLES` best known: the share that has something in common with them, by
how much that is above chance, and the share by the same studio."""


@cache
def bundled() -> tuple[Model, Catalogue]:
    model = Model.open(PROJECT_ROOT / "bundled_model")
    return model, Catalogue.open(model.catalogue_path)


def traits(model: Model, catalogue: Catalogue, rng: np.random.Generator) -> Float32Array:
    """What fans look at in each anime, of unit variance: tags, and some numbers a franchise."""
    ids = model.anime_id.tolist()
    tags = pl.Series(catalogue.column_values("tags", ids)).str.split(";")
    common = tags.explode().value_counts(sort=True, name="n").rows()[: TAGS + 1]
    columns = [tags.list.contains(name).to_numpy() for name, _ in common if name]
    found = [(each - each.mean()) / each.std() for each in columns]
    for name, weight in (("franchise_id", 3.0), ("studios", 1.5)):
        words = catalogue.column_values(name, ids)
        group = np.unique([str(word or -at) for at, word in enumerate(words)], return_inverse=True)
        own = rng.normal(size=(len(group[0]), TAGS // 4))[group[1]]
        found += list(weight * own.T)
    return np.stack(found, axis=1).astype(np.float32)


@cache
def ratings() -> Ratings:
    model, catalogue = bundled()
    rng = np.random.default_rng(0)
    trait = traits(model, catalogue, rng)
    taste = rng.normal(size=(FANS, trait.shape[1])) * (rng.random((FANS, trait.shape[1])) < 0.2)
    match = taste.astype(np.float32) @ trait.T
    match /= match.std()
    appeal = np.log(model.rating_count + 0.3) + match + rng.gumbel(size=match.shape)
    listed = np.argpartition(-appeal, LENGTH, axis=1)[:, :LENGTH]
    score = MEAN_SCORE + 1.2 * np.take_along_axis(match, listed, axis=1)
    score += rng.normal(0, NOISE, score.shape)
    return index_ratings(
        pl.DataFrame(
            {
                "user_id": np.repeat(np.arange(FANS), LENGTH),
                "anime_id": model.anime_id[listed.ravel()],
                "rating": np.clip(np.round(score.ravel()), 1, 10),
                "status": np.full(listed.size, 2, np.int8),
            }
        )
    )


@cache
def measured(engine: str) -> SimilarAnimeRow:
    model, catalogue = bundled()
    if engine == "als":
        everything = Interactions.from_ratings(ratings())
        settings = AlsSettings(factors=24, iterations=8)
        fitted = fit(everything, model.anime_id, settings)
        model.engines = {"als": als_engine(fitted.arrays["item_factors"], settings)}
    elif engine not in ("similarity", "affinity"):
        trainer, defaults = network_trainer(engine)
        fitted = trainer(ratings(), model.anime_id, replace(defaults, **SETTINGS[engine]))
        model.engines = {engine: engine_in_memory(engine, fitted, len(model))}
    rows = measure_similar_anime(model, catalogue, n_titles=TITLES)
    return {row.source: row for row in rows}[engine]


@pytest.mark.parametrize("source", FLOORS)
def test_what_is_alike_makes_sense(source: str) -> None:
    found = measured(source)
    shared, above_chance, studio = FLOORS[source]
    assert found.titles == TITLES
    assert found.sense >= shared
    assert found.sense - found.by_chance >= above_chance
    assert found.studio >= studio
    assert found.little_rated <= 0.03


def test_it_is_counted_as_a_reader_of_the_catalogue_would() -> None:
    model, catalogue = bundled()
    row = measured("affinity")
    by_ratings = sorted(range(len(model)), key=lambda at: (-model.rating_count[at], at))
    shared, few, seen = [], [], set()
    for at in by_ratings[:TITLES]:
        one = catalogue.get_anime(int(model.anime_id[at]))
        for other, _ in similar_items(model, "affinity", at, count=NEAREST):
            two = catalogue.get_anime(int(model.anime_id[other]))
            same_series = one.franchise_id is not None and one.franchise_id == two.franchise_id
            tags = len(set(one.tags) & set(two.tags))
            shared.append(same_series or bool(set(one.studios) & set(two.studios)) or tags >= 2)
            few.append(model.rating_count[other] < LITTLE_RATED)
            seen.add(other)
    assert row.sense == pytest.approx(np.mean(shared))
    assert row.little_rated == pytest.approx(np.mean(few))
    assert row.different == len(seen)


def test_what_is_drawn_is_as_good_as_chance() -> None:
    rows = {row.source: row for row in measure_similar_anime(*bundled(), n_titles=TITLES)}
    drawn, popular = rows["drawn"], rows["the best known"]
    assert drawn.sense == pytest.approx(drawn.by_chance, abs=0.05)
    assert popular.sense == pytest.approx(popular.by_chance, abs=0.05)
    assert popular.different == NEAREST + 1


def test_nothing_in_common_is_not_shared() -> None:
    model, catalogue = bundled()
    facts = SharedFacts(model, catalogue)
    unknown = [
        at
        for at, anime_id in enumerate(model.anime_id.tolist())
        if not (found := catalogue.get_anime(anime_id)).tags
        and not found.studios
        and found.franchise_id is None
    ][:2]
    assert facts.between(*unknown) == (False, False, False)


def test_the_command_prints_a_row_a_source(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    asked = ["alike", "--model", str(tiny_model), "--titles", "12"]
    assert main(asked) == 0
    table = capsys.readouterr().out
    assert main([*asked, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["source"] for row in rows] == ["drawn", "the best known", "similarity", "affinity"]
    for row in rows:
        assert f"| {row['source']} | {row['sense']:.1%} |" in table
