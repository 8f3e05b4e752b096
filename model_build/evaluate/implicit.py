"""How well scores find masked interactions: AUC over all anime, and metrics of the first ten."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender.array_types import BoolArray, Float32Array, Int32Array
from app.recommender.arrays import find_positions
from app.recommender.engines import AlsEngine
from app.recommender.engines.als import InteractionStrengths
from app.recommender.rank import top_items
from model_build.data.interactions import MaskedInteractions, MaskedUsers, known_entries
from model_build.engines.als import AlsSettings, als_engine, entry_strengths, fit_als_factors
from model_build.evaluate.metrics import average_precision, finite_mean, ndcg, precision, recall
from model_build.evaluate.ranking import Ranker
from model_build.util.threads import available_cpus, run_over_ranges

CUTOFF = 10
BLOCK_USERS = 256
"""Users whose scores are in memory at once, a thread."""

ImplicitMetrics = Mapping[str, float]
BlockScorer = Callable[[int, int], Float32Array]
"""Scores of all anime for the users from one to (not including) another, (rows, n)."""


def evaluate_scores(users: MaskedUsers, score_block: BlockScorer) -> dict[str, float]:
    """Means over the users of whom something is hidden.

    ``auc`` is how likely a hidden anime scores higher than another one that is not on the list;
    ``precision@10``, ``recall@10``, ``map@10`` and ``ndcg@10`` are those of
    `model_build.evaluate.metrics`.
    """
    auc = np.full(len(users), np.nan)
    hits = np.zeros((len(users), CUTOFF), bool)

    def work(first: int, last: int) -> None:
        for user, scores in enumerate(score_block(first, last), first):
            hidden = _row_indices(users.hidden, user)
            if len(hidden):
                auc[user] = _rank_user(
                    scores, _row_indices(users.visible, user), hidden, hits[user]
                )

    blocks = [(at, min(at + BLOCK_USERS, len(users))) for at in range(0, len(users), BLOCK_USERS)]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_cpus()) as pool:
        run_over_ranges(pool, work, blocks)
    n_hidden = np.diff(users.hidden.indptr).astype(np.int64)
    metrics = {"precision": precision, "recall": recall, "map": average_precision, "ndcg": ndcg}
    found = {"auc": auc} | {
        f"{name}@{CUTOFF}": metric(hits, n_hidden, CUTOFF) for name, metric in metrics.items()
    }
    return {name: finite_mean(value[n_hidden > 0]) for name, value in found.items()}


def _row_indices(matrix: csr_matrix, row: int) -> Int32Array:
    return np.asarray(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]])


def _rank_user(
    scores: Float32Array, visible: Int32Array, hidden: Int32Array, hits: BoolArray
) -> float:
    """Return the AUC, and mark which of the first places (k,) hold something hidden.

    By sorting: scikit-learn's AUC takes 15 times as long for one user, and holds the lock of the
    interpreter. Of equal scores the one further left ranks first; such pairs count half in the AUC.
    """
    allowed = np.ones(len(scores), bool)
    allowed[visible] = False
    best = top_items(scores.astype(np.float64), allowed, len(hits))
    hits[: len(best)] = np.isin(best, hidden)
    allowed[hidden] = False
    others, own = np.sort(scores[allowed]), scores[hidden]
    beaten = np.searchsorted(others, own) + np.searchsorted(others, own, side="right")
    return float(beaten.mean() / (2 * len(others))) if len(others) else float("nan")


def evaluate_known_and_new(
    masked: MaskedInteractions,
    new_users: MaskedUsers,
    score_known: BlockScorer,
    score_new: BlockScorer,
) -> ImplicitMetrics:
    """Metrics of the users trained on, and with ``new_`` before their names those of others."""
    of_new = evaluate_scores(new_users, score_new)
    return evaluate_scores(masked.known_users, score_known) | {
        f"new_{name}": value for name, value in of_new.items()
    }


def factor_scorer(user_factors: Float32Array, item_factors: Float32Array) -> BlockScorer:
    """Scores as products of users' factors (users, f) and anime's (n, f)."""
    return lambda first, last: np.asarray(user_factors[first:last] @ item_factors.T, np.float32)


def constant_scorer(scores: Float32Array) -> BlockScorer:
    """Return the same scores (n,) for every user."""
    return lambda first, last: np.broadcast_to(scores, (last - first, len(scores)))


def fold_in_scorer(
    engine: AlsEngine, masked: MaskedInteractions, users: MaskedUsers
) -> BlockScorer:
    """Scores of users who are folded in by the engine, as the app does it."""

    def score(first: int, last: int) -> Float32Array:
        vectors = np.empty((last - first, engine.item_factors.shape[1]), np.float32)
        for user in range(first, last):
            listed = masked.interactions.user_list(users.rows_of(user))
            known = known_entries(listed, masked.anime_id)
            vectors[user - first] = engine.user_embedding(known)
        return np.asarray(vectors @ engine.item_factors.T, np.float32)

    return score


def ranker_scorer(
    ranker: Ranker, ranked_ids: Int32Array, masked: MaskedInteractions, users: MaskedUsers
) -> BlockScorer:
    """Score by what a ranker over the anime ``ranked_ids`` (r,) sorts by, others last."""
    column = find_positions(masked.anime_id, ranked_ids)

    def score(first: int, last: int) -> Float32Array:
        rows = np.full((last - first, len(masked.anime_id)), -np.inf, np.float32)
        for user in range(first, last):
            ranked = ranker(masked.interactions.user_list(users.rows_of(user)))
            rows[user - first, column] = np.where(ranked.is_candidate, ranked.sort_key, -np.inf)
        return rows

    return score


def visible_user_items(
    masked: MaskedInteractions, users: MaskedUsers, strengths: InteractionStrengths
) -> csr_matrix:
    """Return the strength of what is visible, (users, anime) float32."""
    rows, visible = users.visible_rows, users.visible
    value = entry_strengths(masked.interactions, strengths, rows)
    return csr_matrix((value, visible.indices, visible.indptr), shape=visible.shape)


def evaluate_iterations(
    masked: MaskedInteractions,
    settings: AlsSettings,
    iterations: Collection[int],
    on_metrics: Callable[[int, float, ImplicitMetrics], None],
    *,
    new_users: MaskedUsers | None = None,
    measure_known: bool = True,
) -> None:
    """Fit ALS once to what is visible, and measure it after each of ``iterations``.

    Every iteration begins where the one before ended, so the factors after ten of fifty are those
    of a fit of ten. ``on_metrics`` is given the iteration, the seconds of the fit so far and the
    metrics: plain names for users trained on, ``new_`` ones for ``new_users`` (default: all that
    were not), who are folded in.
    """
    new_users = masked.new_users if new_users is None else new_users
    trained = visible_user_items(masked, masked.known_users, settings.strengths)

    def on_iteration(
        iteration: int, seconds: float, user_factors: Float32Array, item_factors: Float32Array
    ) -> None:
        if iteration not in iterations:
            return
        fold_in = fold_in_scorer(als_engine(item_factors, settings), masked, new_users)
        if measure_known:
            known = factor_scorer(user_factors, item_factors)
            measured = evaluate_known_and_new(masked, new_users, known, fold_in)
        else:
            of_new = evaluate_scores(new_users, fold_in)
            measured = {f"new_{name}": value for name, value in of_new.items()}
        on_metrics(iteration, seconds, measured)

    most = replace(settings, iterations=max(iterations))
    fit_als_factors(trained, most, on_iteration=on_iteration)


def fit_and_evaluate(
    masked: MaskedInteractions,
    settings: AlsSettings,
    *,
    new_users: MaskedUsers | None = None,
    measure_known: bool = True,
) -> tuple[float, ImplicitMetrics]:
    """Return the seconds of a fit of ALS, and how good it is after its last iteration."""
    found: list[tuple[float, ImplicitMetrics]] = []
    evaluate_iterations(
        masked,
        settings,
        (settings.iterations,),
        lambda _, seconds, measured: found.append((seconds, measured)),
        new_users=new_users,
        measure_known=measure_known,
    )
    return found[0]
