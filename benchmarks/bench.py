"""Hakken beside scikit-surprise: training, predicting, serving; each in a process of its own.

Both are given the same arrays of ratings. Times leave out imports and reading; Hakken's compiled
loops are warmed on a small input first, as they are in use. Memory is the process's peak resident
size.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender import RecommendOptions, SortOrder, UserList, recommend
from app.recommender.array_types import BoolArray
from app.recommender.engines.als import AlsEngine, InteractionStrengths
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from app.recommender.user_list import KnownEntries
from benchmarks.run_server import ServerNotReadyError, run_server
from model_build.data.ratings import Ratings, read_ratings
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.holdout_benchmark import PartTrainer

ROOT = Path(__file__).resolve().parent.parent
LIST_LENGTH = 300
REPEATS = 101
K = 40
SHRINKAGE = 100
NEIGHBOURS = 500
ALL_NEIGHBOURS = 10**6
WARMUP_USERS = 50
FACTORS = (20, 80)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--ratings", type=Path, default=ROOT.parent / "shared" / "data" / "ratings.parquet"
    )
    parser.add_argument("--only", choices=tuple(BENCHMARKS), help=argparse.SUPPRESS)
    parser.add_argument("--arrays", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(BENCHMARKS[arguments.only](np.load(arguments.arrays))))
        return
    if not arguments.ratings.exists():
        sys.exit(f"scripts/bench: {arguments.ratings} does not exist; name a file with --ratings")
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "ratings.npz"
        count = _write_arrays(arguments.ratings, arrays)
        print(f"{count:,} ratings; a list of {LIST_LENGTH} scored titles; {os.cpu_count()} cores\n")
        theirs, ours, uncut, whole = (_run_subprocess(which, arrays) for which in BENCHMARKS)
    print(f"{'KNN with baseline':<42}{'Surprise':>12}{'Hakken':>12}{'ratio':>10}")
    for what in ("training s", "peak MB", "all predictions of one list ms"):
        ratio = theirs[what] / ours[what]
        print(f"{what:<42}{theirs[what]:>12,.2f}{ours[what]:>12,.2f}{ratio:>9,.0f}x")
    print(f"{'largest difference of a predicted score':<42}{_max_difference(uncut, theirs):>24.1e}")
    print(f"{f'  the same with {NEIGHBOURS} neighbours':<42}{_max_difference(ours, theirs):>24.1e}")
    print("\nthe whole model, affinity and taste included")
    print(f"{'training s':<42}{whole['training s']:>24.1f}")
    print(f"{'peak MB':<42}{whole['peak MB']:>24,.0f}")
    for what, taken in whole["answers"].items():
        print(f"{f'answer with reasons, {what}, ms':<42}{taken:>24.2f}")
    for factors, (by_implicit, by_hakken) in whole["folding"].items():
        ratio = by_implicit / by_hakken
        what = f"list into ALS, {factors} factors, ms (implicit)"
        print(f"{what:<42}{by_implicit:>12,.2f}{by_hakken:>12,.2f}{ratio:>9,.1f}x")
    _print_worker_stats()


def _write_arrays(ratings: Path, arrays: Path) -> int:
    """Write the scored entries as plain arrays, and the list to be answered."""
    read = read_ratings([ratings])
    scored = read.rated_mask
    user, item, rating = read.user[scored], read.item[scored], read.rating[scored]
    counts = np.bincount(user)
    fan = int(np.argmin(np.abs(counts - LIST_LENGTH)))
    np.savez(arrays, user=user, item=item, rating=rating, fan=fan)
    return len(rating)


def _run_subprocess(which: str, arrays: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench", "--only", which, "--arrays", str(arrays)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"scripts/bench: {which} failed\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _bench_surprise(arrays: Any) -> dict[str, Any]:
    from surprise import Dataset, KNNBaseline, Reader

    user, item, rating = (arrays[name].tolist() for name in ("user", "item", "rating"))
    dataset = Dataset(Reader(rating_scale=(1, 10)))
    rows = list(zip(user, item, rating, [None] * len(user), strict=True))
    trainset = dataset.construct_trainset(rows)
    del rows, user, rating
    options = {"name": "pearson_baseline", "shrinkage": SHRINKAGE, "user_based": False}
    algorithm = KNNBaseline(k=K, sim_options=options, verbose=False)
    start = time.perf_counter()
    algorithm.fit(trainset)
    seconds = time.perf_counter() - start
    user_inner_id = trainset.to_inner_uid(int(arrays["fan"]))
    known = {inner for inner, _ in trainset.ur[user_inner_id]}
    others = [inner for inner in trainset.all_items() if inner not in known]
    start = time.perf_counter()
    scores = {
        trainset.to_raw_iid(inner): _surprise_estimate(algorithm, user_inner_id, inner)
        for inner in others
    }
    taken = time.perf_counter() - start
    return {
        "training s": seconds,
        "peak MB": _peak_mb(),
        "all predictions of one list ms": taken * 1e3,
        "scores": scores,
    }


def _surprise_estimate(algorithm: Any, user: int, item: int) -> float:
    estimate = algorithm.estimate(user, item)
    return float(estimate[0] if isinstance(estimate, tuple) else estimate)


def _make_ratings(arrays: Any, keep: BoolArray) -> Ratings:
    user, item = arrays["user"][keep], arrays["item"][keep]
    return Ratings(
        user=user,
        item=item,
        rating=arrays["rating"][keep],
        status=np.full(len(user), 2, np.int8),
        user_ids=pl.Series(np.arange(arrays["user"].max() + 1)),
        anime_ids=np.arange(arrays["item"].max() + 1, dtype=np.int32) + 1,
        collected=np.zeros(len(user), np.int16),
    )


def _user_list(arrays: Any) -> UserList:
    own = arrays["user"] == arrays["fan"]
    ids = arrays["item"][own].astype(np.int64) + 1
    return UserList(ids, arrays["rating"][own], np.full(own.sum(), 2, np.int8))


def _bench_knn(arrays: Any, neighbours: int) -> dict[str, Any]:
    """Return what Surprise's KNNBaseline does and nothing else: biases, similarity, predictions."""
    settings = Hyperparameters(k=K, shrinkage=SHRINKAGE, neighbours=neighbours)

    PartTrainer(_make_ratings(arrays, arrays["user"] < WARMUP_USERS)).fit("knn", settings)
    ratings = _make_ratings(arrays, np.ones(len(arrays["user"]), bool))
    start = time.perf_counter()
    model = PartTrainer(ratings).fit("knn", settings)
    seconds = time.perf_counter() - start
    peak = _peak_mb()
    visitor = fold_in(model, _user_list(arrays))
    return {
        "training s": seconds,
        "peak MB": peak,
        "all predictions of one list ms": _median_ms(lambda: predict_knn(model, visitor)),
        "scores": {int(i): float(s) for i, s in enumerate(predict_knn(model, visitor).score)},
    }


def _bench_full_model(arrays: Any) -> dict[str, Any]:
    """Return the whole model, and whole answers from it."""
    ratings = _make_ratings(arrays, np.ones(len(arrays["user"]), bool))
    start = time.perf_counter()
    trained = train_model(ratings, Hyperparameters())
    seconds = time.perf_counter() - start
    peak = _peak_mb()
    model = trained.in_memory_model()
    listed = _user_list(arrays)
    with threadpool_limits(1):  # as gunicorn.conf.py sets it
        answers = {
            f"{top} by {order}": _median_ms(
                partial(recommend, model, listed, RecommendOptions(top, order))
            )
            for top in (20, 50)
            for order in SortOrder
        }
        folding = _als_fold_in_ms(fold_in(model, listed).known_entries, len(model))
    return {"training s": seconds, "peak MB": peak, "answers": answers, "folding": folding}


def _als_fold_in_ms(known: KnownEntries, anime: int) -> dict[str, tuple[float, float]]:
    """Folding a list into ALS and scoring all anime, by `implicit` and by Hakken's engine."""
    from implicit.cpu.als import AlternatingLeastSquares

    taken = {}
    for factors in FACTORS:
        factor = np.random.default_rng(0).standard_normal((anime, factors)).astype(np.float32)
        exact = factor.astype(np.float64)
        engine = AlsEngine(
            factor, exact.T @ exact, 0.1, 15.0, InteractionStrengths(), np.ones(anime, bool)
        )
        library = AlternatingLeastSquares(factors=factors, regularization=0.1, alpha=15.0)
        library.item_factors = factor
        strength = engine.strengths.for_entries(known.status, known.favourite).astype(np.float32)
        row = csr_matrix((strength, known.position, [0, len(strength)]), shape=(1, anime))
        theirs = _median_ms(partial(_implicit_scores, library, row))
        taken[str(factors)] = (theirs, _median_ms(partial(engine.score, known)))
    return taken


def _implicit_scores(library: Any, row: csr_matrix) -> Any:
    return library.item_factors @ library.recalculate_user(0, row).ravel()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _median_ms(function: Any) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def _max_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    return float(max(abs(ours["scores"][item] - score) for item, score in theirs["scores"].items()))


def _print_worker_stats() -> None:
    """Start one web worker on the bundled model; say how soon it is ready and how large."""
    try:
        with run_server(workers=1) as served:
            ready, (worker,) = served.ready_s, served.worker_memory()
    except ServerNotReadyError as error:
        sys.exit(f"scripts/bench: the web worker did not become ready\n{error}")
    print(f"{'one web worker ready after s':<42}{ready:>24.2f}")
    print(f"{'one web worker resident MB':<42}{worker.resident:>24.0f}")


BENCHMARKS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "surprise": _bench_surprise,
    "knn": partial(_bench_knn, neighbours=NEIGHBOURS),
    "uncut": partial(_bench_knn, neighbours=ALL_NEIGHBOURS),
    "whole": _bench_full_model,
}

if __name__ == "__main__":
    main()
