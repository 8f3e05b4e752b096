"""A place in the model for anime that are too new to have been scored.

What is known of an anime (genres, themes, type, years, length; `describe`) is mapped to its side of
the model by ridge regression over the anime that fans do know: with X the facts and T what the
model holds of those anime,

    W = argmin || T - X W ||^2 + ridge ||W||^2,   and x W for an anime without fans.

Its columns of the affinity are learned in this way, its bias, and its factors of the Gaussian. In
the affinity the anime of its franchise then give it what anime of one franchise give each other
on average, because a sequel is watched by those who saw what it follows.

What the facts cannot tell stays as noise: errors of the anime fans know, each predicted without
itself (the leave-one-out residual of ridge regression, (T - X W)_i / (1 - H_ii)), widen the
stated uncertainty of the fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from model_build.taste import Gaussian

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

RIDGE = 100.0
LEAST_OF_A_KIND = 20
"""Anime that fans know with some fact, for anything to be learned from it."""
KEPT = 200
"""Affinities kept for a fresh anime: the strongest."""
BLOCK = 512
_LISTS = ("genres", "themes", "demographics", "studios")
_WORDS = ("type", "source")


@dataclass(frozen=True, slots=True)
class Facts:
    """``matrix`` (n, f) of zeros and ones for n anime; ``franchise`` (n,), -1 where unknown."""

    matrix: Floats
    franchise: npt.NDArray[np.int64]


def describe(catalogue: pl.DataFrame, anime_ids: npt.NDArray[np.int32]) -> Facts:
    """The facts of ``anime_ids``; one that is not in the catalogue has none but being an anime.

    A year stands for its lustrum, a length for its power of two.
    """
    wanted = pl.DataFrame({"anime_id": anime_ids}, schema={"anime_id": pl.Int64})
    found = wanted.join(
        catalogue.with_columns(pl.col("anime_id").cast(pl.Int64)),
        on="anime_id",
        how="left",
        maintain_order="left",
    )
    kinds: dict[str, list[int]] = {"": list(range(len(anime_ids)))}
    for name, tell in _TELLERS.items():
        if name in found.columns:
            for at, value in enumerate(found[name].to_list()):
                for fact in () if value is None else tell(value):
                    kinds.setdefault(f"{name} {fact}", []).append(at)
    matrix = np.zeros((len(anime_ids), len(kinds)))
    for column, where in enumerate(kinds.values()):
        matrix[where, column] = 1.0
    franchise = np.full(len(anime_ids), -1, np.int64)
    if "franchise_id" in found.columns:
        franchise = found["franchise_id"].fill_null(-1).cast(pl.Int64).to_numpy()
    return Facts(matrix, franchise)


def _items(text: str) -> Iterable[str]:
    return filter(None, text.split(";"))


_TELLERS: dict[str, Callable[..., Iterable[str]]] = {
    **dict.fromkeys(_LISTS, _items),
    **dict.fromkeys(_WORDS, lambda word: [word.upper()]),
    "year": lambda year: [str(year // 5)],
    "episodes": lambda count: [str(int(np.log2(count)))] if count > 0 else [],
}


def fresh_anime(catalogue: pl.DataFrame, since: int | None = None) -> pl.Series:
    """Ids of the catalogue's anime that are new and of which enough is known: type and genres.

    New is what aired in or after ``since``: without one, the last five years that the catalogue
    knows.
    """
    if not {"type", "genres", "year"} <= set(catalogue.columns):
        return pl.Series("anime_id", [], pl.Int64)
    if since is None:
        since = int(catalogue["year"].max() or 0) - 5  # type: ignore[arg-type]
    told = pl.col("type").is_not_null() & (pl.col("genres").fill_null("") != "")
    return catalogue.filter(told & (pl.col("year") >= since))["anime_id"].sort()


class FreshMap:
    """The ridge regression from facts: learned from ``known`` (m,) anime, for ``fresh`` (k,)."""

    def __init__(self, facts: Facts, known: Positions, fresh: Positions) -> None:
        common = facts.matrix[known].sum(axis=0) >= LEAST_OF_A_KIND
        common[0] = True  # that it is an anime at all
        self.known, self.fresh = known, fresh
        self.franchise = facts.franchise
        self.of_known, self.of_fresh = (
            facts.matrix[known][:, common],
            facts.matrix[fresh][:, common],
        )
        gram = self.of_known.T @ self.of_known
        self.inverse = np.linalg.inv(gram + RIDGE * np.eye(len(gram)))

    def predict(self, target: Floats) -> tuple[Floats, Floats]:
        """From what the known anime have, (m, t): (k, t), and the leave-one-out errors (m, t)."""
        weight = self.inverse @ (self.of_known.T @ target)
        leverage = np.einsum("if,fg,ig->i", self.of_known, self.inverse, self.of_known)
        errors = (target - self.of_known @ weight) / (1.0 - leverage)[:, None]
        return self.of_fresh @ weight, errors


def place_values(fresh: FreshMap, values: Floats) -> tuple[Floats, float]:
    """``values`` (n,) with the fresh anime's predicted, and the mean squared error of that."""
    found, errors = fresh.predict(values[fresh.known][:, None])
    placed = values.copy()
    placed[fresh.fresh] = found[:, 0]
    return placed, float(np.mean(errors**2))


def place_in_gaussian(
    facts: Facts, fresh: Positions, gaussian: Gaussian, bias_variance: float
) -> Gaussian:
    """The Gaussian with the fresh anime, whose noise holds what the facts do not tell.

    ``bias_variance`` is that of their predicted biases, in squares of a standard score.
    """
    learned = FreshMap(facts, gaussian.position.astype(np.int64), fresh)
    factor, errors = learned.predict(gaussian.factor.astype(np.float64))
    untold = float((errors**2).sum(axis=1).mean()) + bias_variance
    noise = np.full(len(fresh), gaussian.noise.mean() + untold, np.float32)
    position = np.concatenate([gaussian.position, fresh.astype(np.int32)])
    order = np.argsort(position)
    return replace(
        gaussian,
        position=position[order],
        factor=np.concatenate([gaussian.factor, factor.astype(np.float32)])[order],
        noise=np.concatenate([gaussian.noise, noise])[order],
    )


def place_in_affinity(fresh: FreshMap, matrix: csr_array) -> csr_array:
    """An affinity (row j on the list, column i recommended) with the fresh anime's columns.

    Each gets the `KEPT` weights of largest magnitude; what the known anime get does not change.
    """
    of_rows = np.asarray(matrix[:, fresh.known] @ fresh.of_known) @ fresh.inverse
    of_rows = of_rows[fresh.known]
    franchise = fresh.franchise[fresh.known]
    within = _within_franchises(fresh, matrix)
    keep = min(KEPT, len(of_rows))
    cells: list[tuple[npt.NDArray[np.float64], Positions, Positions]] = []
    for first in range(0, len(fresh.fresh), BLOCK):
        block = fresh.fresh[first : first + BLOCK]
        weight = of_rows @ fresh.of_fresh[first : first + BLOCK].T
        own = fresh.franchise[block]
        weight += within * ((franchise[:, None] == own) & (own >= 0))
        best = np.argpartition(-np.abs(weight), keep - 1, axis=0)[:keep]
        value = np.take_along_axis(weight, best, axis=0)
        cells.append((value.ravel("F"), fresh.known[best].ravel("F"), np.repeat(block, keep)))
    if not cells:
        return matrix
    value, row, column = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    placed = matrix + csr_array((value, (row, column)), shape=matrix.shape, dtype=np.float32)
    placed.sort_indices()
    return placed


def _within_franchises(fresh: FreshMap, matrix: csr_array) -> float:
    """What anime of one franchise give each other: the mean over franchises of their means."""
    _, label = np.unique(fresh.franchise[fresh.known], return_inverse=True)
    franchise = np.full(matrix.shape[0], -1, np.int64)
    franchise[fresh.known] = np.where(fresh.franchise[fresh.known] >= 0, label, -1)
    cells = matrix.tocoo()
    row, column = cells.coords
    inside = (franchise[row] >= 0) & (franchise[row] == franchise[column])
    size = np.bincount(franchise[franchise >= 0])
    several = np.flatnonzero(size > 1)
    if not len(several):
        return 0.0
    total = np.bincount(franchise[row[inside]], cells.data[inside], minlength=len(size))
    return float(np.mean(total[several] / (size[several] * (size[several] - 1.0))))
