"""Train on kept sums and the fans that came since, without the ratings of those before.

Sums are only good for the baselines that they were added up with. So a refresh keeps the mean, the
mean spread and the biases of all anime that had ratings; other anime get theirs by the same least
squares over the new fans, and each fan's own follow in closed form. The result is that of adding up
all fans with these baselines, to rounding. The affinity needs none, and is that of a full training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from model_build.affinity import NEWCOMERS, Regularisation, solve
from model_build.baselines import Baselines, fit_baselines
from model_build.dumps.prepared import Prepared
from model_build.errors import InputError
from model_build.fresh import Fitted
from model_build.grouping import GroupedRatings
from model_build.neighbours import Neighbours
from model_build.parallel import available_threads
from model_build.parts import Part, knn_part
from model_build.sums import shard
from model_build.sums.anime import Anime, GramsOfNumbers
from model_build.sums.fresh import NewAnime
from model_build.sums.pair_sums import (
    Rows,
    offer,
    outer_block,
    pearson_block,
    rows_within,
    similarities,
)
from model_build.sums.sample import Sample
from model_build.sums.store import Fixed, NewSums, Sums
from model_build.taste import EPOCHS, REG, Standardised
from model_build.training import Hyperparameters, Trained, assemble

BLOCK_BYTES = 200_000_000

Floats = npt.NDArray[np.float64]
Finish = Callable[[Rows, Floats], None]


def train_on_sums(
    place: Path,
    prepared: Prepared,
    settings: Hyperparameters,
    kept: Sums | None,
    folder: Path,
    *,
    new: NewAnime | None = None,
    threads: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Trained:
    """Fit a model on the sums ``kept`` and the partitions that are not in them.

    The sums of all are written into ``folder``. Without ``kept`` the model is that of
    `model_build.training.train`.

    Raises:
        InputError: a partition is missing or changed, one that was added is not there any more,
            or the sums were added up with other settings.
    """
    if kept is not None:
        _refuse_other(prepared, settings, kept.index.partitions, kept.index.fixed)
    job = _Job(settings, kept, NewSums(folder), threads or available_threads(), block_bytes)
    return job.run(place, prepared, new)


def _refuse_other(
    prepared: Prepared, settings: Hyperparameters, added: list[str], fixed: Fixed
) -> None:
    gone = set(added) - {partition.sha256 for partition in prepared.partitions}
    if gone:
        raise InputError(
            f"{len(gone)} of the {len(added)} partitions that the sums were added from are not "
            "among these ratings, or have changed; train in full with --keep-sums."
        )
    for name in ("reg_user", "reg_item", "epochs"):
        kept, wanted = getattr(fixed, name), getattr(settings, name)
        if kept != wanted:
            option = name.replace("_", "-")
            raise InputError(
                f"--{option} {wanted:g}: the sums were added up with {kept:g}; leave it so, or "
                "train in full with --keep-sums."
            )


class _Job:
    def __init__(
        self,
        settings: Hyperparameters,
        kept: Sums | None,
        new: NewSums,
        threads: int,
        block_bytes: int,
    ) -> None:
        self._settings, self._kept, self._new = settings, kept, new
        self._threads, self._block_bytes = threads, block_bytes
        self._seconds: dict[str, float] = {}

    def run(self, place: Path, prepared: Prepared, new: NewAnime | None) -> Trained:
        kept = self._kept
        added = set(kept.index.partitions) if kept else set()
        partitions = [part for part in prepared.partitions if part.sha256 not in added]
        first_fan = kept.index.fans if kept else 0
        with self._timed("reading"):
            entries = shard.read(str(place), partitions, first_fan)
        counts = shard.count(entries)
        if new is not None:
            counts = new.join(counts)
        total = counts.score_total + (kept.index.score_total if kept else 0.0)
        anime = Anime.of(counts, kept.read("anime") if kept else None)
        known = kept.rows if kept else []
        self._rows = known + rows_within(
            len(anime.anime_id), self._block_bytes, known[-1].last if known else 0
        )
        with self._timed("grouping"):
            grouped = shard.group_scored(entries, anime.numbering)
        mean = kept.index.fixed.mean if kept else total / max(1, int(anime.ratings.sum()))
        knn = self._knn(grouped, anime, mean)
        taste, spread = self._taste(grouped, anime, mean)
        none = np.zeros(0)
        standard = Standardised(anime.by_id(anime.standard_bias), none, none, none, spread)
        sample = Sample.of(grouped, first_fan, anime.anime_id, kept.read("sample") if kept else {})
        with self._timed("taste factors"):
            gaussian = sample.gaussian(
                anime, mean, spread, factors=self._settings.taste_factors, threads=self._threads
            )
        del grouped
        fans = first_fan + entries.fans
        weights = self._affinity(entries, anime, fans)
        self._new.write("anime", **anime.arrays())
        self._new.write("sample", **sample.arrays())
        s = self._settings
        self._new.finish(
            partitions=[part.sha256 for part in prepared.partitions],
            fans=fans,
            score_total=total,
            rows=[(rows.first, rows.last) for rows in self._rows],
            fixed=Fixed(
                mean=mean,
                spread=spread,
                reg_user=s.reg_user,
                reg_item=s.reg_item,
                epochs=s.epochs,
            ),
        )
        counted = anime.facts(fans)
        facts = fresh = None
        if new is not None:
            ids, listed = counted.arrays["anime_id"], counted.arrays["entry_count"]
            facts, fresh = new.facts(ids), new.fresh(ids, listed, s.lists_needed(fans))
        return assemble(
            counted,
            knn,
            taste,
            Fitted(standard, gaussian, *weights),
            s,
            fans,
            facts=facts,
            fresh=fresh,
            seconds=self._seconds,
        )

    def _knn(self, grouped: GroupedRatings, anime: Anime, mean: float) -> Part:
        s = self._settings
        with self._timed("baselines"):
            anime.bias = self._biases(
                grouped, anime, anime.bias, mean, s.reg_user, s.reg_item, s.epochs
            )
            fitted = shard.baselines(grouped, mean, anime.bias, s.reg_user)
        with self._timed("similarity"):
            similarity = self._similarity(
                "score", grouped, fitted.residual, s.shrinkage, s.min_support, s.neighbours, anime
            )
        none = np.zeros(0)
        biases = Baselines(mean, none, anime.by_id(anime.bias), none)
        return knn_part(biases, similarity, s.precision)

    def _taste(self, grouped: GroupedRatings, anime: Anime, mean: float) -> tuple[csr_array, float]:
        s = self._settings
        with self._timed("standard scores"):
            anime.standard_bias = self._biases(
                grouped, anime, anime.standard_bias, mean, REG, REG, EPOCHS
            )
            fitted = shard.baselines(grouped, mean, anime.standard_bias, REG)
            spread = (
                self._kept.index.fixed.spread if self._kept else float(fitted.residual.std()) or 1.0
            )
            scores = shard.standard_scores(grouped, fitted, spread)
            values = shard.standard_values(grouped, scores)
        with self._timed("taste similarity"):
            similarity = self._similarity(
                "standard", grouped, values, s.taste_shrinkage, 1, s.taste_neighbours, anime
            )
        return similarity, spread

    def _biases(
        self,
        grouped: GroupedRatings,
        anime: Anime,
        bias: Floats,
        mean: float,
        reg_user: float,
        reg_item: float,
        epochs: int,
    ) -> Floats:
        """Biases by number: fitted to all, or those of anime that are new to what is fixed."""
        if self._kept is None:
            fitted = fit_baselines(
                grouped, reg_user=reg_user, reg_item=reg_item, epochs=epochs, threads=self._threads
            )
            return fitted.item_bias[anime.numbering.order]
        count = np.diff(grouped.item_start)
        for _ in range(epochs):
            total = shard.item_totals(grouped, mean, bias, reg_user)
            found = shard.item_biases(total, count, reg_item)
            bias = np.where(anime.fixed, bias, found)
        return bias

    def _similarity(
        self,
        kind: str,
        grouped: GroupedRatings,
        values: Floats,
        shrinkage: float,
        min_support: int,
        most: int,
        anime: Anime,
    ) -> csr_array:
        nearest = Neighbours(len(anime.anime_id), most)
        with ThreadPoolExecutor(self._threads) as pool:
            for rows, block in self._blocks(
                kind, lambda rows: pearson_block(grouped, values, rows, self._threads)
            ):
                similar = similarities(block, rows, shrinkage, min_support)
                offer(nearest, similar, pool, self._threads)
        return nearest.matrix(anime.numbering.order, anime.numbering.rank)

    def _affinity(
        self, entries: shard.Entries, anime: Anime, fans: int
    ) -> tuple[csr_array, csr_array]:
        s = self._settings
        kind = Regularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        with self._timed("pair sums"):
            given = shard.group_interests(entries, anime.numbering)
            grams = GramsOfNumbers(anime, s.lists_needed(fans))
            for rows, block in self._blocks(
                "interest",
                lambda rows: outer_block(
                    given.lists, given.given, given.wanted, rows, self._threads
                ),
            ):
                grams.take(rows, block)
        with self._timed("affinity"):
            solved = grams.grams()
            return solve(solved, kind, s.affinity_neighbours), solve(
                solved, NEWCOMERS, s.newcomer_neighbours
            )

    def _blocks(self, kind: str, of: Callable[[Rows], Floats]) -> Iterator[tuple[Rows, Floats]]:
        """Blocks of the sums of all fans, which are kept on the way."""
        for number, rows in enumerate(self._rows):
            block = of(rows)
            if self._kept is not None and number < len(self._kept.rows):
                self._kept.add_to(block, kind, number)
            self._new.write_block(block, kind, number)
            yield rows, block

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] = time.perf_counter() - start
