"""The engines from embeddings, KNN, SVD and Hakken on one split: scores and interactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from app.recommender import Model, Order, Wish
from app.recommender.engines.base import Engine
from app.recommender.engines.interactions import liked
from app.recommender.listed import Known
from app.recommender.recommend import score_all
from model_build.catalogue import encode_catalogue
from model_build.comparison import trained_model
from model_build.engines.networks import NETWORKS, opened, trainer
from model_build.errors import InputError
from model_build.foretelling.telling import (
    Foretold,
    HeldOut,
    Teller,
    Told,
    always_yes,
    held_out,
    measure,
)
from model_build.ratings import Ratings, indexed
from model_build.splitting import split_fans

if TYPE_CHECKING:
    from model_build.engines.learning import Settings

Split = Literal["fans", "pairs"]
HIDDEN_SHARE = 0.2
PERCENT = 100.0
SVD = "svd"
HAKKEN = {"knn-baseline": ("KNN with baseline", Order.SCORE), "match": ("Hakken", Order.MATCH)}
NAMES = (*NETWORKS, SVD, *HAKKEN)


@dataclass(frozen=True, slots=True)
class Row:
    """One predictor: what it told, what training took, and a fan's folding in."""

    name: str
    title: str
    train_seconds: float
    ms: float
    told: Told


def side_by_side(
    ratings: Ratings,
    names: Sequence[str],
    settings: Callable[[Settings], Settings],
    *,
    split: Split,
    fans: int,
    seed: int,
    progress: bool = False,
) -> Iterator[Row]:
    """Rows as they become known, the base rate first.

    Raises:
        InputError: there are not enough fans, or what is asked for needs a package that is not
            installed.
    """
    for name in names:
        if name in NETWORKS:
            trainer(name)
    parts = split_fans(ratings, fans, seed) if split == "fans" else split_pairs(ratings, fans, seed)
    training = indexed(parts["ratings"])
    lists = indexed(parts["lists"])
    held = held_out(lists, indexed(parts["holdout"]), training.anime_ids)
    yield Row("base", "always yes (base rate)", 0.0, 0.0, always_yes(held))
    for name in NETWORKS:
        if name in names:
            yield _network(name, training, held, settings, progress)
    if SVD in names:
        seen = (
            parts["ratings"] if split == "pairs" else pl.concat([parts["ratings"], parts["lists"]])
        )
        yield _svd(indexed(seen), training, held)
    orders = {name: told for name, told in HAKKEN.items() if name in names}
    if orders:
        encoded = encode_catalogue(None, training.anime_ids)
        with trained_model(training, encoded, progress) as (model, seconds):
            for name, (title, order) in orders.items():
                yield _row(name, title, seconds, _of_model(model, order), held)


def split_pairs(ratings: Ratings, fans: int, seed: int) -> dict[str, pl.DataFrame]:
    """A fifth of everyone's scores and interactions hidden, at random; ``fans`` are measured.

    Frames as those of `split_fans`, but the lists are among the ratings.
    """
    rng = np.random.default_rng(seed)
    told = ratings.scored | (liked(ratings.rating, ratings.status) >= 0)
    hidden = told & (rng.random(len(ratings)) < HIDDEN_SHARE)
    able = np.unique(ratings.user[hidden])
    if fans > len(able):
        raise InputError(f"{fans} fans cannot be measured on, {len(able)} have pairs to hide.")
    measured = np.isin(ratings.user, rng.choice(able, fans, replace=False))
    frame = pl.DataFrame(
        {
            "user_id": ratings.user_ids.gather(ratings.user),
            "anime_id": ratings.anime_ids[ratings.item],
            "rating": ratings.rating,
            "status": ratings.status,
        }
    )
    return {
        "ratings": frame.filter(~hidden),
        "lists": frame.filter(~hidden & measured),
        "holdout": frame.filter(hidden & measured),
    }


def _row(name: str, title: str, seconds: float, tell: Teller, held: Sequence[HeldOut]) -> Row:
    with threadpool_limits(1, "blas"):
        tell(held[0])  # compiles what is compiled at first use
        start = time.perf_counter()
        told = measure(tell, held)
        taken = time.perf_counter() - start
    return Row(name, title, seconds, 1000 * taken / len(held), told)


def _network(
    name: str,
    training: Ratings,
    held: Sequence[HeldOut],
    settings: Callable[[Settings], Settings],
    progress: bool,
) -> Row:
    fit, defaults = trainer(name)
    start = time.perf_counter()
    fitted = fit(training, training.anime_ids, settings(defaults), progress=progress)
    seconds = time.perf_counter() - start
    engine = opened(name, fitted, len(training.anime_ids))
    return _row(name, NETWORKS[name][0], seconds, _of_engine(engine, training), held)


def _of_engine(engine: Engine, training: Ratings) -> Teller:
    # Cosine embeddings learn no interactions: their match is a score on another scale.
    tells_chances = engine.name != "cosine"

    def tell(fan: HeldOut) -> Foretold:
        ids, listed = training.anime_ids, fan.visible
        at = np.minimum(np.searchsorted(ids, listed.anime_id), len(ids) - 1)
        order = np.argsort(at, kind="stable")
        order = order[ids[at[order]] == listed.anime_id[order]]
        favourite = np.zeros(len(order), bool)
        known = Known(at[order], listed.score[order], listed.status[order], favourite)
        judged = engine.judge(known)
        assert judged.predicted_score is not None
        chance = judged.match[fan.position] / PERCENT if tells_chances else None
        return Foretold(judged.predicted_score[fan.position], chance)

    return tell


def _of_model(model: Model, order: Order) -> Teller:
    def tell(fan: HeldOut) -> Foretold:
        return Foretold(
            score_all(model, fan.visible, Wish(order=order)).predicted_score[fan.position]
        )

    return tell


def _svd(seen: Ratings, training: Ratings, held: Sequence[HeldOut]) -> Row:
    """Surprise's SVD with its defaults, trained on the visible lists as well."""
    try:
        import surprise
    except ModuleNotFoundError:
        raise InputError(
            "svd needs scikit-surprise, which is not installed; "
            "run: pip install -r requirements-dev.txt, or leave svd out"
        ) from None
    scored = seen.scored
    fans = seen.user_ids.cast(pl.String).gather(seen.user[scored])
    frame = pl.DataFrame(
        {"fan": fans, "anime": seen.anime_ids[seen.item[scored]], "score": seen.rating[scored]}
    )
    start = time.perf_counter()
    data = surprise.Dataset(surprise.Reader(rating_scale=(1, 10)))
    raw = [(*row, None) for row in frame.iter_rows()]
    model = surprise.SVD(random_state=0).fit(data.construct_trainset(raw))
    seconds = time.perf_counter() - start

    def tell(fan: HeldOut) -> Foretold:
        ids = training.anime_ids[fan.position].tolist()
        return Foretold(np.array([model.predict(fan.name, anime).est for anime in ids]))

    return _row(SVD, "SVD (scikit-surprise)", seconds, tell, held)
