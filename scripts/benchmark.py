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
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

ROOT = Path(__file__).resolve().parent.parent
LIST_LENGTH = 300
REPEATS = 101
K = 40
SHRINKAGE = 100
NEIGHBOURS = 500
UNCUT = 10**6


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--ratings", type=Path, default=ROOT.parent / "shared" / "data" / "ratings.parquet"
    )
    parser.add_argument("--only", choices=("surprise", "hakken", "uncut"), help=argparse.SUPPRESS)
    parser.add_argument("--arrays", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        arrays = np.load(arguments.arrays)
        measured = _surprise(arrays) if arguments.only == "surprise" else None
        measured = measured or _hakken(arrays, UNCUT if arguments.only == "uncut" else NEIGHBOURS)
        measured["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(measured))
        return
    if not arguments.ratings.exists():
        sys.exit(f"scripts/bench: {arguments.ratings} does not exist; name a file with --ratings")
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "ratings.npz"
        count = _prepare(arguments.ratings, arrays)
        print(f"{count:,} ratings; a list of {LIST_LENGTH} scored titles; {os.cpu_count()} cores\n")
        theirs, ours, uncut = (_child(w, arrays) for w in ("surprise", "hakken", "uncut"))
    print(f"{'':<42}{'Surprise':>12}{'Hakken':>12}{'ratio':>10}")
    for what in ("training s", "peak MB", "all predictions of one list ms"):
        ratio = theirs[what] / ours[what]
        print(f"{what:<42}{theirs[what]:>12,.2f}{ours[what]:>12,.2f}{ratio:>9,.0f}x")
    print(f"{'largest difference of a predicted score':<42}{_difference(uncut, theirs):>24.1e}")
    print(f"{f'  the same with {NEIGHBOURS} neighbours':<42}{_difference(ours, theirs):>24.1e}")
    print(f"{'whole answer for one list, with reasons, ms':<42}{ours['answer ms']:>24.2f}")
    _print_worker()


def _prepare(ratings: Path, arrays: Path) -> int:
    """Write the scored entries as plain arrays, and the list to be answered."""
    from model_build.ratings import read_ratings

    read = read_ratings([ratings])
    scored = read.scored
    user, item, rating = read.user[scored], read.item[scored], read.rating[scored]
    counts = np.bincount(user)
    fan = int(np.argmin(np.abs(counts - LIST_LENGTH)))
    np.savez(arrays, user=user, item=item, rating=rating, fan=fan)
    return len(rating)


def _child(which: str, arrays: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "scripts.benchmark", "--only", which, "--arrays", str(arrays)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"scripts/bench: {which} failed\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _surprise(arrays: Any) -> dict[str, Any]:
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
    fan = trainset.to_inner_uid(int(arrays["fan"]))
    known = {inner for inner, _ in trainset.ur[fan]}
    others = [inner for inner in trainset.all_items() if inner not in known]
    start = time.perf_counter()
    scores = {trainset.to_raw_iid(inner): _estimate(algorithm, fan, inner) for inner in others}
    taken = time.perf_counter() - start
    return {
        "training s": seconds,
        "all predictions of one list ms": taken * 1e3,
        "scores": scores,
    }


def _estimate(algorithm: Any, fan: int, item: int) -> float:
    estimate = algorithm.estimate(fan, item)
    return float(estimate[0] if isinstance(estimate, tuple) else estimate)


def _hakken(arrays: Any, neighbours: int) -> dict[str, Any]:
    import polars as pl

    from app.recommender import Listed, Model, Wish, recommend
    from app.recommender.artifact import Dataset, write_artifact
    from app.recommender.fold_in import fold_in
    from app.recommender.predict import predict
    from model_build.catalogue import encode_catalogue
    from model_build.ratings import Ratings
    from model_build.training import Hyperparameters, train

    def ratings_of(keep: npt.NDArray[np.bool_]) -> Ratings:
        user, item = arrays["user"][keep], arrays["item"][keep]
        return Ratings(
            user=user,
            item=item,
            rating=arrays["rating"][keep],
            status=np.full(len(user), 2, np.int8),
            user_ids=pl.Series(np.arange(arrays["user"].max() + 1)),
            anime_ids=np.arange(arrays["item"].max() + 1, dtype=np.int32) + 1,
        )

    settings = Hyperparameters(k=K, shrinkage=SHRINKAGE, neighbours=neighbours)
    train(ratings_of(arrays["user"] < 50), settings)
    start = time.perf_counter()
    trained = train(ratings_of(np.ones(len(arrays["user"]), bool)), settings)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_artifact(
            path,
            version="bench",
            created="now",
            dataset=Dataset(name="bench", fingerprint=""),
            counts=trained.counts,
            hyperparameters=trained.hyperparameters,
            metrics={},
            arrays=trained.arrays,
            catalogue=encode_catalogue(None, trained.arrays["anime_id"]),
        )
        model = Model.open(path)
        own = arrays["user"] == arrays["fan"]
        listed = Listed(
            arrays["item"][own].astype(np.int64) + 1,
            arrays["rating"][own],
            np.full(own.sum(), 2, np.int8),
        )
        visitor = fold_in(model, listed)
        scores = predict(model, visitor).score
        predicting = _median_ms(lambda: predict(model, visitor))
        answering = _median_ms(lambda: recommend(model, listed, Wish(top=50)))
    return {
        "training s": seconds,
        "all predictions of one list ms": predicting,
        "answer ms": answering,
        "scores": {int(i): float(s) for i, s in enumerate(scores)},
    }


def _median_ms(work: Any) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def _difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    return float(max(abs(ours["scores"][item] - score) for item, score in theirs["scores"].items()))


def _print_worker() -> None:
    """Start one web worker on the bundled model; say how soon it is ready and how large."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--workers", "1"]
    command += ["--bind", f"127.0.0.1:{port}", "app.wsgi:app"]
    start = time.perf_counter()
    server = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        while not _answers(f"http://127.0.0.1:{port}/readyz"):
            if server.poll() is not None or time.perf_counter() - start > 60:
                errors = server.stderr.read() if server.poll() is not None and server.stderr else ""
                sys.exit(f"scripts/bench: the web worker did not become ready\n{errors}")
            time.sleep(0.02)
        ready = time.perf_counter() - start
        sizes = [child.memory_info().rss for child in psutil.Process(server.pid).children()]
    finally:
        server.terminate()
        server.wait()
    print(f"{'one web worker ready after s':<42}{ready:>24.2f}")
    print(f"{'one web worker resident MB':<42}{max(sizes) / 2**20:>24.0f}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


if __name__ == "__main__":
    main()
