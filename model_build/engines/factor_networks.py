"""Networks over embeddings of users and anime, trained for scores, for likes, or for both.

- ``mf``: matrix factorization, a dot product of two embeddings and biases (Koren, Bell and Volinsky
  2009), a network for scores and one for likes, which puts a sigmoid on it.
- ``mlp``: one hidden layer over both embeddings side by side (He and others 2017), likewise.
- ``hybrid``: the hidden layer of ``mlp``, shared by a head for scores and one for likes (Caruana
  1997).

What they are exported to is served by `app.recommender.engines.networks`. The vectors of the users
trained on are whitened, and what meets them is transformed against it, so that the prior of a new
user's vector is the same for every network: N(0, I).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
)
from app.recommender.engines.base import LIKE_THRESHOLD, EngineBiases
from app.recommender.engines.heads import LinearHead, PredictionHead, ReluHead, fit_user_vector
from app.recommender.engines.networks import like_label_block, score_label_block
from model_build.data.holdout import ValidationUser
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine, HyperparameterValue
from model_build.engines.network_training import (
    EmbeddingNetwork,
    NetworkSettings,
    pair_batches,
    to_numpy,
    train_network,
)
from model_build.engines.training_pairs import (
    MIN_LABELS,
    TrainingPairs,
    build_training_pairs,
    validation_losses,
)
from model_build.util.errors import InputError

TargetKind = Literal["rating", "interaction", "both"]
LIKED_MARGIN = 0.5
LOGITS_PER_POINT = 1.2
"""Where the logits of interactions start: above 5.5 points a user is taken to like an anime, and a
point more or less moves the logit by this. Training changes both."""
HIDDEN_UNITS = 64
VALIDATION_RIDGE = 0.2
"""The ridge while training; the one kept is chosen afterwards."""
RIDGE_GRID = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class UserWhitening:
    """A user's own vector is ``mean`` (d,) + ``covariance_root`` (d, d) @ the whitened one."""

    mean: Float64Array
    covariance_root: Float64Array

    @classmethod
    def from_vectors(cls, users: Float64Array) -> UserWhitening:
        """From the vectors of the users trained on, (users, d)."""
        # Of vectors of one number numpy gives the covariance as a number, and no matrix.
        covariance = np.atleast_2d(np.cov(users.T)) if len(users) > 1 else np.eye(users.shape[1])
        jitter = JITTER * max(float(np.trace(covariance)) / len(covariance), JITTER)
        root = np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        return cls(users.mean(axis=0), np.asarray(root, np.float64))

    def whitened(self, users: Float64Array) -> Float64Array:
        """Return the whitened vectors of users, (users, d)."""
        return np.asarray(np.linalg.solve(self.covariance_root, (users - self.mean).T).T)

    def linear_head(self, item: Float64Array, offset: Float64Array) -> LinearHead:
        """Return a dot product with ``item`` (n, d), plus ``offset`` (n,)."""
        return LinearHead(
            offset + item @ self.mean, (item @ self.covariance_root).astype(np.float32)
        )

    def relu_head(
        self, base: Float64Array, project: Float64Array, out: Float64Array, offset: Float64Array
    ) -> ReluHead:
        """``offset + out' relu(base + project u)``; (n,), (h,), (n, h) and (h, d)."""
        base = base + project @ self.mean
        return ReluHead(offset, base.astype(np.float32), project @ self.covariance_root, out)


@dataclass(frozen=True, slots=True)
class ExportedHeads:
    """Heads of a trained network, for whichever targets it has, and the anime's own vectors."""

    heads: dict[str, PredictionHead]
    user_bias_weight: float
    item_vectors: Float64Array

    def validation_losses(
        self, pairs: TrainingPairs, weights: tuple[float, float], ridge: float
    ) -> tuple[float, float]:
        """Mean squared error and mean cross-entropy on what the validation users hide."""
        rating, interaction = self.heads.get("rating"), self.heads.get("interaction")
        baseline = pairs.baseline

        def predict(user: ValidationUser) -> tuple[Float64Array | None, Float64Array | None]:
            user_bias = baseline.user_residuals(user.visible)[2]
            bias_logit = self.user_bias_weight * user_bias
            blocks, score, logit = [], None, None
            if rating is not None:
                blocks.append(score_label_block(baseline, rating, user.visible, weights[0]))
            if interaction is not None:
                blocks.append(like_label_block(interaction, user.visible, bias_logit, weights[1]))
            vector, at = fit_user_vector(blocks, ridge).user_vector, user.hidden.position
            if rating is not None:
                expected = baseline.global_mean + baseline.item_bias[at] + user_bias
                score = expected + rating.predict(vector, at)
            if interaction is not None:
                logit = bias_logit + interaction.predict(vector, at)
            return score, logit

        return validation_losses(pairs, predict)


class FactorNetwork(EmbeddingNetwork):
    """Predicts residual scores, logits of likes, or both, with biases of its own."""

    def __init__(
        self, pairs: TrainingPairs, target_kind: TargetKind, settings: NetworkSettings
    ) -> None:
        n_items = len(pairs.is_trained_item)
        super().__init__(len(pairs.user_bias), n_items, settings)
        self.target_kind = target_kind
        expected = (
            pairs.baseline.global_mean + pairs.baseline.item_bias - LIKE_THRESHOLD - LIKED_MARGIN
        )
        start = torch.from_numpy((LOGITS_PER_POINT * expected).astype(np.float32))
        self.user_bias: Tensor
        self.initial_logit: Tensor
        self.register_buffer("user_bias", torch.from_numpy(pairs.user_bias))
        self.register_buffer("initial_logit", start)
        self.item_bias = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(n_items)) for name in self.targets}
        )
        level = pairs.baseline.global_mean + pairs.baseline.item_bias
        self.rating_level: Tensor
        self.register_buffer("rating_level", torch.from_numpy(level.astype(np.float32)))
        self.is_rectified = settings.output == "relu"
        n_users = len(pairs.user_bias)
        self.own_user_bias = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(n_users)) for name in self.targets}
            if settings.user_bias
            else {}
        )
        self.user_bias_weight = nn.Parameter(torch.tensor(LOGITS_PER_POINT))
        self.dropout = nn.Dropout(settings.dropout)

    @property
    def targets(self) -> tuple[str, ...]:
        """What the network predicts."""
        return ("rating", "interaction") if self.target_kind == "both" else (self.target_kind,)

    def biased_outputs(
        self, values: dict[str, Tensor], user: Tensor, item: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        """Values of heads by target, with the biases that go with them."""
        found = {target: value + self.item_bias[target][item] for target, value in values.items()}
        for target, bias in self.own_user_bias.items():
            found[target] = found[target] + bias[user]
        if self.is_rectified and "rating" in found:
            level = self.rating_level[item] + self.user_bias[user]
            found["rating"] = torch.relu(level + found["rating"]) - level
        if "interaction" in found:
            logit = self.initial_logit[item] + self.user_bias_weight * self.user_bias[user]
            found["interaction"] = found["interaction"] + logit
        return found.get("rating"), found.get("interaction")

    def item_offset(self, target: str) -> Float64Array:
        """Return what the anime add to a head's values by themselves, (items,)."""
        own = self.item_bias[target] + (self.initial_logit if target == "interaction" else 0.0)
        return to_numpy(own)

    def penalty(self) -> Tensor:
        """Sum the squares of what is held to its start or to 0."""
        total = super().penalty()
        for bias in (*self.item_bias.values(), *self.own_user_bias.values()):
            total = total + bias.square().sum()
        return total

    def user_vectors(self) -> Float64Array:
        """Return the users' embeddings, then their own biases, one a target: (users, d)."""
        biases = [to_numpy(bias)[:, None] for bias in self.own_user_bias.values()]
        return np.hstack([to_numpy(self.user_embedding.weight), *biases])

    def export(self, users: Int64Array) -> ExportedHeads:
        """Heads for vectors that are whitened over the ``users`` (u,) trained on.

        A score that is not let below 0 in training is not served below 1 in any case.
        """
        item = to_numpy(self.item_embedding.weight)
        whitening = UserWhitening.from_vectors(self.user_vectors()[users])
        return ExportedHeads(
            self.export_heads(whitening, item), float(self.user_bias_weight.detach()), item
        )

    def export_heads(
        self, whitening: UserWhitening, item: Float64Array
    ) -> dict[str, PredictionHead]:
        """Heads over anime with the embeddings ``item`` (n, d), by target."""
        raise NotImplementedError


class MatrixFactorizationNetwork(FactorNetwork):
    """A dot product; both embeddings are dropped out of by themselves."""

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Predict residual scores and logits of likes for pairs, (b,)."""
        user_vector = self.dropout(self.user_embedding(user))
        product = (user_vector * self.dropout(self.item_embedding(item))).sum(dim=1)
        return self.biased_outputs({self.targets[0]: product}, user, item)

    def export_heads(
        self, whitening: UserWhitening, item: Float64Array
    ) -> dict[str, PredictionHead]:
        """Return heads over anime with the embeddings ``item`` (n, d), by target."""
        target = self.targets[0]
        biased = np.hstack([item, *(np.ones((len(item), 1)) for _ in self.own_user_bias)])
        return {target: whitening.linear_head(biased, self.item_offset(target))}


class MlpNetwork(FactorNetwork):
    """Dropout, a dense layer of rectified units, and an output for each target."""

    def __init__(
        self, pairs: TrainingPairs, target_kind: TargetKind, settings: NetworkSettings
    ) -> None:
        super().__init__(pairs, target_kind, settings)
        self.trunk = nn.Linear(2 * settings.size, HIDDEN_UNITS)
        self.heads = nn.ModuleDict({name: nn.Linear(HIDDEN_UNITS, 1) for name in self.targets})

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Predict residual scores and logits of likes for pairs, (b,)."""
        both = torch.cat([self.user_embedding(user), self.item_embedding(item)], dim=1)
        hidden = torch.relu(self.trunk(self.dropout(both)))
        values = {target: head(hidden).squeeze(1) for target, head in self.heads.items()}
        return self.biased_outputs(values, user, item)

    def export_heads(
        self, whitening: UserWhitening, item: Float64Array
    ) -> dict[str, PredictionHead]:
        """Return heads over anime with the embeddings ``item`` (n, d), by target."""
        weight, size = to_numpy(self.trunk.weight), item.shape[1]
        base = item @ weight[:, size:].T + to_numpy(self.trunk.bias)
        # A bias b of the user is two more hidden units, relu(b) - relu(-b), for its own target.
        n_biases = len(self.own_user_bias)
        signs = np.kron(np.eye(n_biases), [[1.0], [-1.0]])
        project = np.block(
            [
                [weight[:, :size], np.zeros((len(weight), n_biases))],
                [np.zeros((len(signs), size)), signs],
            ]
        )
        base = np.hstack([base, np.zeros((len(base), len(signs)))])
        heads: dict[str, PredictionHead] = {}
        for target, head in self.heads.items():
            assert isinstance(head, nn.Linear)
            offset = self.item_offset(target) + to_numpy(head.bias)
            own = [sign * (target == other) for other in self.own_user_bias for sign in (1.0, -1.0)]
            out = np.concatenate([to_numpy(head.weight)[0], own])
            heads[target] = whitening.relu_head(base, project, out, offset)
        return heads


def fit_factor_networks(
    name: str,
    network_type: type[FactorNetwork],
    target_kinds: Sequence[TargetKind],
    ratings: Ratings,
    anime_id: Int32Array,
    settings: NetworkSettings,
) -> FittedEngine:
    """Train a network for each target kind; together for a model's ``anime_id`` (n,), ascending."""
    pairs = build_training_pairs(ratings, n_validation=settings.validation, seed=settings.seed)
    arrays, hyperparameters = baseline_values(pairs.baseline)
    hyperparameters |= settings.hyperparameters()
    metrics: dict[str, float] = {}
    # All before the first is trained: what one lacks is said at once.
    rows_of = {target_kind: training_rows(pairs, target_kind) for target_kind in target_kinds}
    for target_kind, rows in rows_of.items():
        part = _fit_network(name, network_type, target_kind, pairs, rows, settings)
        arrays |= part.arrays
        hyperparameters |= part.hyperparameters
        metrics |= part.metrics
    return FittedEngine(arrays, hyperparameters, metrics).align(ratings.anime_ids, anime_id)


def _fit_network(
    name: str,
    network_type: type[FactorNetwork],
    target_kind: TargetKind,
    pairs: TrainingPairs,
    rows: Int64Array,
    settings: NetworkSettings,
) -> FittedEngine:
    weights = settings.weights if target_kind == "both" else (1.0, 1.0)
    users = np.unique(pairs.user[rows])

    def total_loss(exported: ExportedHeads, ridge: float) -> float:
        mse, log_loss = exported.validation_losses(pairs, weights, ridge)
        return weights[0] * mse + weights[1] * log_loss

    network, outcome = train_network(
        lambda: network_type(pairs, target_kind, settings),
        pair_batches(pairs, rows, settings.batch),
        len(rows),
        lambda network: total_loss(network.export(users), VALIDATION_RIDGE),
        settings,
        name=f"{name} {target_kind}",
    )
    exported = network.export(users)
    ridge = min(RIDGE_GRID, key=partial(total_loss, exported))
    arrays: dict[str, npt.NDArray[Any]] = {}
    hyperparameters: dict[str, HyperparameterValue] = {}
    for target, head in exported.heads.items():
        arrays |= head_arrays(target, head, "trunk" if target_kind == "both" else target)
        hyperparameters[f"ridge_{target}"] = ridge
    if "rating" in exported.heads:
        arrays["embedding"] = normalise_rows(exported.item_vectors, pairs.is_trained_item)
        mse, _ = exported.validation_losses(pairs, weights, ridge)
        hyperparameters["expected_error"] = float(np.sqrt(mse))
    if "interaction" in exported.heads:
        hyperparameters["user_bias_weight"] = exported.user_bias_weight
    return FittedEngine(arrays, hyperparameters, outcome.metrics(target_kind))


def training_rows(pairs: TrainingPairs, target_kind: TargetKind) -> Int64Array:
    """Return the rows (k,) of the pairs that have what a network of this kind learns.

    Raises
    ------
    InputError
        There are none: everyone left to train on has scores, but perhaps no likes.
    """
    is_scored, is_labelled = ~np.isnan(pairs.residual), ~np.isnan(pairs.label)
    rows = np.flatnonzero(
        {"rating": is_scored, "interaction": is_labelled, "both": is_scored | is_labelled}[
            target_kind
        ]
    )
    if not len(rows):
        raise InputError(
            f"there are no likes to learn from: nobody has {MIN_LABELS} anime that are dropped, or "
            "completed and scored; train on more lists, or another engine."
        )
    return rows


def head_arrays(target: str, head: PredictionHead, trunk: str) -> dict[str, npt.NDArray[Any]]:
    """Return a head by the names that `app.recommender.engines.networks` reads."""
    if isinstance(head, LinearHead):
        return {f"{target}_offset": head.offset, f"{target}_item_vectors": head.item_vectors}
    assert isinstance(head, ReluHead)
    return {
        f"{target}_offset": head.offset,
        f"{target}_output_weight": head.output_weight,
        f"{trunk}_hidden_bias": head.hidden_bias,
        f"{trunk}_projection": head.projection.astype(np.float32),
    }


def normalise_rows(item: Float64Array, is_trained: BoolArray) -> Float32Array:
    """Rows (n, d) of length 1, zeros where not trained."""
    length = np.linalg.norm(item, axis=1, keepdims=True)
    unit = np.divide(item, length, out=np.zeros_like(item), where=length > 0)
    unit[~is_trained] = 0.0
    return np.asarray(unit, np.float32)


def baseline_values(
    baseline: EngineBiases,
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, HyperparameterValue]]:
    """Return a bias model as an engine's array, (n_items,), and its hyperparameters."""
    return {"item_bias": baseline.item_bias}, {
        "global_mean": baseline.global_mean,
        "reg_user": baseline.reg_user,
    }


BOTH_SEPARATELY: tuple[TargetKind, ...] = ("rating", "interaction")
TRAINERS: dict[str, tuple[Callable[..., FittedEngine], NetworkSettings]] = {
    "mf": (
        partial(fit_factor_networks, "mf", MatrixFactorizationNetwork, BOTH_SEPARATELY),
        NetworkSettings(),
    ),
    "mlp": (
        partial(fit_factor_networks, "mlp", MlpNetwork, BOTH_SEPARATELY),
        NetworkSettings(decay=30.0, epochs=16),
    ),
    "hybrid": (
        partial(fit_factor_networks, "hybrid", MlpNetwork, ("both",)),
        NetworkSettings(dropout=0.2),
    ),
}
"""Each engine's ``fit(ratings, anime_id, settings)`` and default settings."""
