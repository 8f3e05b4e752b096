"""Small made-up worlds of fans and anime, and models trained on them the way an operator would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl

from app.recommender import Model, UserList
from app.recommender.array_types import Float64Array
from app.recommender.pair_matrix import PairMatrix
from model_build.cli import main

ROOT = Path(__file__).parents[2]


def random_frame(
    seed: int, fans: int, anime: int, density: float, *, unscored: float = 0.1, step: float = 1.0
) -> pl.DataFrame:
    """List entries with tastes in them, so that some anime are truly alike.

    Every fan and every anime has at least one entry; anime ids are scattered, not 0..n. Scores are
    multiples of ``step``; statuses go with them (plan to watch among the unscored).
    """
    rng = np.random.default_rng(seed)
    chance = density * 2 * rng.beta(1, 1, anime)
    listed = rng.random((fans, anime)) < chance
    listed[np.arange(fans), rng.integers(0, anime, fans)] = True
    listed[rng.integers(0, fans, anime), np.arange(anime)] = True
    user, item = np.nonzero(listed)
    taste, trait = rng.normal(size=(fans, 3)), rng.normal(size=(anime, 3))
    level = rng.normal(7, 0.8, fans)[user] + rng.normal(0, 0.8, anime)[item]
    raw = level + (taste[user] * trait[item]).sum(axis=1) + rng.normal(0, 0.5, len(user))
    rating = np.clip(np.round(raw / step) * step, 1, 10)
    silent = rng.random(len(user)) < unscored
    rating[silent] = 0
    status = np.where(silent, rng.choice([0, 1, 2, 3, 4, 6], len(user)), 2)
    anime_id = np.sort(rng.choice(np.arange(1, 20 * anime), anime, replace=False))
    return pl.DataFrame(
        {
            "user_id": user + 1,
            "anime_id": anime_id[item],
            "rating": rating,
            "status": status.astype(np.int8),
        }
    )


def rated_frame(rows: list[tuple[int, int, float]]) -> pl.DataFrame:
    """Rows of (user, anime, rating) as a frame without statuses."""
    return pl.DataFrame(rows, schema=["user_id", "anime_id", "rating"], orient="row").with_columns(
        pl.col("rating").cast(pl.Float64)
    )


def train_model(frame: pl.DataFrame, folder: Path, **options: float | str | Path) -> Model:
    """Write ``frame``, run the train command on it and open what it made (``folder/model``)."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "ratings.parquet")
    arguments = ["train", "--ratings", str(folder / "ratings.parquet"), "--quiet"]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    assert main([*arguments, "--out", str(folder / "model")]) == 0
    return Model.open(folder / "model")


def list_of(frame: pl.DataFrame, user: int) -> UserList:
    """One fan's rows as the list that a visitor would bring."""
    rows = frame.filter(pl.col("user_id") == user)
    status = rows["status"].to_numpy() if "status" in rows.columns else np.zeros(len(rows))
    return UserList(
        rows["anime_id"].to_numpy().astype(np.int64),
        rows["rating"].to_numpy().astype(np.float64),
        status.astype(np.int8),
    )


def dense_similarity(model: Model) -> Float64Array:
    """The whole matrix, ``[i, j]`` what anime j on a list says about anime i; 0 where cut."""
    matrix, n = model.similarity, len(model)
    dense = np.zeros((n, n))
    if isinstance(matrix, PairMatrix):
        for item in range(n):
            others, weight = matrix.column_entries(item)
            dense[item, others] = weight
        return dense
    source = np.repeat(np.arange(n), np.diff(matrix.indptr))
    dense[matrix.indices, source] = matrix.data * matrix.scale
    return dense


def run_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in this process; what it printed and its status, as of a process of its own."""
    words, out, err = list(map(str, arguments)), StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else 1
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def run_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """``python -m model_build`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "model_build", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def every_31st_a_series(anime_ids: Sequence[int]) -> list[str]:
    """A column ``relations``: what has the same remainder continues the first that has."""
    first: dict[int, int] = {}
    return [f"prequel:{first.setdefault(anime % 31, anime)}" for anime in anime_ids]
