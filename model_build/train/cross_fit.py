"""Fit the trees that judge a first stage by users whom it was not trained on.

A model is trained on two thirds of the users, and the others, of whom a fifth of the scores is
hidden, are folded into it as visitors are; three times, so that it is everybody's turn. What the
trees learn from so looks like what they are asked later; learnt from a model that knows the users,
they would trust it too much. Lists come whole, for the ranking with another fifth of the scores
hidden once more, and cut to a few entries, so that one model serves all lengths. From the hidden
scores learn both the second stage of ranking and the correction of predicted scores
(`model_build.train.trees`).

Some users are kept from the trees: on them is measured what these bring, and the match in percent
is read off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from app.recommender import Model
from app.recommender.recommend import estimate_items
from app.recommender.reranking.feature_names import CORRECTION_FEATURES, FEATURES, FeatureGroup
from app.recommender.trees import features_digest
from model_build.data.holdout import (
    HoldoutUser,
    cross_fit_splits,
    index_split,
    redraw_hidden,
    truncate_history,
)
from model_build.data.ratings import Ratings
from model_build.train.list_sample import ListSample
from model_build.train.match_curves import fit_match_curves
from model_build.train.model_arrays import TrainedModel
from model_build.train.trees import CandidateTable, ScoreTable, fit_reranker, fit_score_correction
from model_build.util.progress import ProgressCallback, no_progress
from model_build.util.threads import available_cpus, map_ahead

N_FOLDS = 3
SEED = 0
MIN_USERS = 500
CUT_LENGTHS = (5, 20, 100)
CUT_WEIGHT = 0.3
"""That of a candidate of a list that was cut: with more, whole lists are ranked less well."""
MIN_CUT_RATIO = 1.2
"""A list is cut to a length only if it is longer by this factor."""
VALIDATION_STRIDE = 10


@dataclass(frozen=True, slots=True)
class _Example:
    """A list that is learnt from or measured on, and what each of its candidates counts."""

    user: HoldoutUser
    weight: float = 1.0
    only_ranking: bool = False


class _Tables:
    """What is learnt from, or measured on."""

    def __init__(self, *, is_validation: bool) -> None:
        self.is_validation = is_validation
        self.candidates = CandidateTable(is_validation=is_validation)
        self.scores = ScoreTable()

    def add(self, model: Model, example: _Example) -> None:
        """Add a list, unless nothing on it says anything."""
        user, weight = example.user, example.weight
        estimates = estimate_items(model, user.visible)
        if len(estimates.profile.input_position):
            self.candidates.add(estimates, user, weight)
            if not example.only_ranking:
                self.scores.add(estimates, user, weight)

    @property
    def has_examples(self) -> bool:
        """Whether there is anything to learn from, or to measure on."""
        return bool(self.candidates.lists and self.scores.lists)

    def extend(self, other: _Tables) -> None:
        """Add what another has, behind what is here."""
        self.candidates.lists += other.candidates.lists
        self.scores.lists += other.scores.lists


def add_cross_fitted_trees(
    trained: TrainedModel,
    lists: ListSample,
    train_first_stage: Callable[[Ratings], Model],
    ablations: Collection[FeatureGroup] = (),
    threads: int | None = None,
    on_progress: ProgressCallback = no_progress,
) -> None:
    """Fit the trees and add them to a model; too few users leave the model without them.

    ``train_first_stage`` makes first stages of parts of the lists; ``ablations`` are groups of
    features without each of which the second stage is fitted, too. The same lists give the same
    bits.
    """
    start = time.perf_counter()
    n_users = len(lists.user)
    if n_users < MIN_USERS:
        trained.notes.append(
            f"no second stage of ranking: {n_users} fans are too few to fit it, {MIN_USERS} are "
            "needed"
        )
        return
    training, validation = (_Tables(is_validation=each) for each in (False, True))
    rng, redraw_rng = np.random.default_rng(SEED), np.random.default_rng(SEED)
    threads = threads or available_cpus()
    done = 0

    def tables_of(work: tuple[bool, list[_Example]]) -> _Tables:
        is_validation, examples = work
        tables = _Tables(is_validation=is_validation)
        for each in examples:
            tables.add(model, each)
        return tables

    for split in cross_fit_splits(lists.to_ratings(), N_FOLDS, SEED):
        if split["holdout"].is_empty():
            continue
        rest, users = index_split(split)
        model = train_first_stage(rest)
        held = users[::VALIDATION_STRIDE]
        # Drawn in this thread, one user after the other, whatever the threads.
        work = (
            (False, _training_examples(user, rng, redraw_rng))
            if at % VALIDATION_STRIDE
            else (True, [_Example(user)])
            for at, user in enumerate(users)
        )
        # One list is too little work to share: threads of BLAS would wait for one another.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            for found in map_ahead(pool, tables_of, work, 4 * threads):
                (validation if found.is_validation else training).extend(found)
                done += 1
                on_progress("second stage", done, n_users)
    on_progress("second stage", n_users, n_users)
    if not training.has_examples or not validation.has_examples:
        trained.notes.append(
            "no second stage of ranking: on too few lists there is something to find, an anime "
            "scored 8 or more"
        )
        return
    corrected = fit_score_correction(training.scores, validation.scores, threads)
    stage, ranked = fit_reranker(training.candidates, validation.candidates, threads=threads)
    # The last of the first stages, and users that neither it nor the trees have seen.
    with threadpool_limits(1, "blas"):
        trained.match_curves = fit_match_curves(model.with_second_stage(*stage), held)
    trained.ablations = {
        group: fit_reranker(training.candidates, validation.candidates, group, threads)[0]
        for group in ablations
    }
    for part in (corrected, ranked):
        trained.arrays |= part.arrays
        trained.hyperparameters |= part.scalars
    trained.hyperparameters |= {
        "rerank_features": features_digest(FEATURES),
        "score_correction_features": features_digest(CORRECTION_FEATURES),
    }
    trained.seconds["second stage"] = time.perf_counter() - start


def _training_examples(
    user: HoldoutUser, rng: np.random.Generator, redraw_rng: np.random.Generator
) -> list[_Example]:
    """Return the list whole, cut to a few entries, and with other scores hidden."""
    short = [_Example(each, CUT_WEIGHT) for each in _cut(user, rng)]
    again = redraw_hidden(user, redraw_rng)
    return [_Example(user), *short, _Example(again, only_ranking=True)]


def _cut(user: HoldoutUser, rng: np.random.Generator) -> list[HoldoutUser]:
    """The list cut to a few entries, if it has enough of them."""
    able = [n for n in CUT_LENGTHS if len(user.visible.anime_id) >= MIN_CUT_RATIO * n]
    if not able:
        return []
    return truncate_history([user], able[rng.integers(len(able))], int(rng.integers(2**31)))
