"""Training a network for scores and interactions, or one for each, into an engine's arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from app.recommender.array_types import Float64Array, Int32Array, Int64Array
from app.recommender.engines.bias_model import BiasModel
from app.recommender.engines.heads import LabelBlock, PredictionHead, fit_user_vector
from app.recommender.engines.labels import LIKE_THRESHOLD, like_labels
from app.recommender.engines.networks import like_label_block, score_label_block
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine, HyperparameterValue
from model_build.engines.export import (
    align_to_model,
    baseline_arrays,
    head_arrays,
    normalise_rows,
    select_ridge,
    users_in_rows,
)
from model_build.engines.network_training import EmbeddingNetwork, NetworkSettings, train_network
from model_build.engines.training_pairs import TrainingPairs, ValidationUser, build_training_pairs

TargetKind = Literal["rating", "interaction", "both"]
LIKED_MARGIN = 0.5
LOGITS_PER_POINT = 1.2
"""Where the logits of interactions start: above 5.5 points a fan is taken to like an anime, and a
point more or less moves the logit by this. Training changes both."""
VALIDATION_RIDGE = 0.2
"""The ridge while training; the one kept is chosen afterwards."""


@dataclass(frozen=True, slots=True)
class ExportedHeads:
    """Heads of a trained network, for whichever sides it has, and the anime's own vectors."""

    heads: dict[str, PredictionHead]
    user_bias_weight: float
    item_vectors: Float64Array


class MultiTaskNetwork(EmbeddingNetwork):
    """A network that tells residual scores, logits of interactions, or both."""

    def __init__(
        self, pairs: TrainingPairs, target_kind: TargetKind, settings: NetworkSettings
    ) -> None:
        items = len(pairs.is_trained_item)
        super().__init__(len(pairs.user_bias), items, settings)
        self.target_kind = target_kind
        expected = (
            pairs.baseline.global_mean + pairs.baseline.item_bias - LIKE_THRESHOLD - LIKED_MARGIN
        )
        start = torch.from_numpy((LOGITS_PER_POINT * expected).astype(np.float32))
        self.user_bias: Tensor
        self.initial_logit: Tensor
        self.register_buffer("level", torch.from_numpy(pairs.user_bias))
        self.register_buffer("start", start)
        self.item_bias = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(items)) for name in self.targets}
        )
        self.user_bias_weight = nn.Parameter(torch.tensor(LOGITS_PER_POINT))

    @property
    def targets(self) -> tuple[str, ...]:
        return ("rating", "interaction") if self.target_kind == "both" else (self.target_kind,)

    def add_biases(self, target: str, value: Tensor, user: Tensor, item: Tensor) -> Tensor:
        """A head's value with the biases that go with it."""
        value = value + self.item_bias[target][item]
        if target == "interaction":
            value = value + self.initial_logit[item] + self.user_bias_weight * self.user_bias[user]
        return value

    def biased_outputs(
        self, values: dict[str, Tensor], user: Tensor, item: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        scored = {side: self.add_biases(side, value, user, item) for side, value in values.items()}
        return scored.get("rating"), scored.get("interaction")

    def item_offset(self, target: str) -> Float64Array:
        """What the anime adds to the head's values by itself, (items,)."""
        own = self.item_bias[target] + (self.initial_logit if target == "interaction" else 0.0)
        return np.asarray(own.detach().cpu().numpy(), np.float64)

    def penalty(self) -> Tensor:
        own = super().penalty()
        for bias in self.item_bias.values():
            own = own + bias.square().sum()
        return own

    def export_heads(self, users: Int64Array) -> ExportedHeads:
        """Heads whose vectors are turned for the fans trained on."""
        raise NotImplementedError


def fit_network_engine(
    name: str,
    build_network: Callable[[TrainingPairs, TargetKind, NetworkSettings], MultiTaskNetwork],
    target_kinds: Sequence[TargetKind],
    ratings: Ratings,
    anime_id: Int32Array,
    settings: NetworkSettings,
    *,
    progress: bool = False,
) -> FittedEngine:
    """Train a network for each of the sides, and put them together for a model's anime."""
    pairs = build_training_pairs(ratings, n_validation=settings.validation, seed=settings.seed)
    arrays, numbers = baseline_arrays(pairs.baseline)
    metrics: dict[str, float] = {}
    numbers |= network_hyperparameters(settings)
    for side in target_kinds:
        rows = rows_with_target(pairs, side)
        fans = users_in_rows(pairs, rows)

        def validate(network: EmbeddingNetwork, fans: Int64Array = fans) -> float:
            assert isinstance(network, MultiTaskNetwork)
            return validation_loss(network.export_heads(fans), pairs, settings, VALIDATION_RIDGE)

        network, outcome = train_network(
            lambda side=side: build_network(pairs, side, settings),  # type: ignore[misc]
            pairs,
            settings,
            validate,
            rows=rows,
            name=f"{name} {side}",
            progress=progress,
        )
        assert isinstance(network, MultiTaskNetwork)
        frozen = network.export_heads(fans)
        ridge = select_ridge(lambda r, frozen=frozen: validation_loss(frozen, pairs, settings, r))  # type: ignore[misc]
        trunk = "trunk" if side == "both" else None
        for of_side, head in frozen.heads.items():
            arrays |= head_arrays(of_side, head, trunk)
            numbers[f"ridge_{of_side}"] = ridge
        if "rating" in frozen.heads:
            arrays["embedding"] = normalise_rows(frozen.item_vectors, pairs.is_trained_item)
            squares = validation_loss(frozen, pairs, settings, ridge, only_target="rating")
            numbers["expected_error"] = float(np.sqrt(squares))
        if "interaction" in frozen.heads:
            numbers["user_bias_weight"] = frozen.user_bias_weight
        metrics |= outcome.metrics(side)
    return align_to_model(FittedEngine(arrays, numbers, metrics), anime_id, ratings.anime_ids)


def rows_with_target(pairs: TrainingPairs, target_kind: TargetKind) -> Int64Array:
    """The pairs that have a target for the side."""
    scored, labelled = ~np.isnan(pairs.residual), ~np.isnan(pairs.label)
    chosen = {"rating": scored, "interaction": labelled, "both": scored | labelled}[target_kind]
    return np.flatnonzero(chosen)


def validation_loss(
    exported: ExportedHeads,
    pairs: TrainingPairs,
    settings: NetworkSettings,
    ridge: float,
    *,
    only_target: str | None = None,
) -> float:
    """Mean squared error and mean cross-entropy, weighted, on what the validation fans hide."""
    weights = settings.weights if len(exported.heads) > 1 else (1.0, 1.0)
    squares: list[Float64Array] = []
    entropies: list[Float64Array] = []
    for fan in pairs.validation_users:
        square, entropy = _user_losses(exported, pairs.baseline, fan, weights, ridge)
        squares.append(square)
        entropies.append(entropy)
    total = 0.0
    if "rating" in exported.heads and only_target in (None, "rating"):
        total += weights[0] * _concatenated_mean(squares)
    if "interaction" in exported.heads and only_target in (None, "interaction"):
        total += weights[1] * _concatenated_mean(entropies)
    return total


def _user_losses(
    exported: ExportedHeads,
    baseline: BiasModel,
    user: ValidationUser,
    weights: tuple[float, float],
    ridge: float,
) -> tuple[Float64Array, Float64Array]:
    """Squared errors and cross-entropies on one fan's hidden entries."""
    level = baseline.user_residuals(user.visible)[2]
    logit = exported.user_bias_weight * level
    evidence: list[LabelBlock] = []
    rating, interaction = exported.heads.get("rating"), exported.heads.get("interaction")
    if rating is not None:
        evidence.append(score_label_block(baseline, rating, user.visible, weights[0]))
    if interaction is not None:
        evidence.append(like_label_block(interaction, user.visible, logit, weights[1]))
    vector = fit_user_vector(evidence, ridge).user_vector
    square = entropy = np.empty(0)
    if rating is not None:
        expected = baseline.global_mean + baseline.item_bias[user.hidden_position] + level
        square = (expected + rating.predict(vector, user.hidden_position) - user.hidden_score) ** 2
    if interaction is not None:
        label = like_labels(user.hidden_score, user.hidden_status)
        judged = label >= 0
        value = logit + interaction.predict(vector, user.hidden_position[judged])
        entropy = np.logaddexp(0, value) - label[judged] * value
    return square, entropy


def _concatenated_mean(parts: Sequence[Float64Array]) -> float:
    joined = np.concatenate([np.empty(0), *parts])
    return float(joined.mean()) if len(joined) else 0.0


def network_hyperparameters(settings: NetworkSettings) -> dict[str, HyperparameterValue]:
    """What goes into the manifest."""
    found: dict[str, Any] = asdict(settings)
    rating, interaction = found.pop("weights")
    del found["device"]
    return found | {"weight_rating": rating, "weight_interaction": interaction}
