"""Training a network for scores and interactions, or one for each, into an engine's arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.recommender.engines.baseline import Baseline
from app.recommender.engines.heads import Evidence, Head, fold
from app.recommender.engines.interactions import LIKED_ABOVE, liked
from app.recommender.engines.networks import told_labels, told_scores
from model_build.engines.base import FittedEngine, Number
from model_build.engines.freezing import (
    baseline_arrays,
    best_ridge,
    for_model,
    head_arrays,
    trained_fans,
    unit_rows,
)
from model_build.engines.learning import Network, Settings, learn
from model_build.engines.pairs import Hidden, Pairs, make_pairs
from model_build.ratings import Ratings

Side = Literal["rating", "interaction", "both"]
HALF_POINT = 0.5
LOGITS_A_POINT = 1.2
"""Where the logits of interactions start: above 5.5 points a fan is taken to like an anime, and a
point more or less moves the logit by this. Training changes both."""
LOOK_RIDGE = 0.2
"""The ridge while training; the one kept is chosen afterwards."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Heads of a trained network, for whichever sides it has, and the anime's own vectors."""

    heads: dict[str, Head]
    level_share: float
    item: npt.NDArray[np.float64]


class TaskNetwork(Network):
    """A network that tells residual scores, logits of interactions, or both."""

    def __init__(self, pairs: Pairs, side: Side, settings: Settings) -> None:
        items = len(pairs.trained)
        super().__init__(len(pairs.level), items, settings)
        self.side = side
        expected = pairs.baseline.mean + pairs.baseline.item_bias - LIKED_ABOVE - HALF_POINT
        start = torch.from_numpy((LOGITS_A_POINT * expected).astype(np.float32))
        self.level: Tensor
        self.start: Tensor
        self.register_buffer("level", torch.from_numpy(pairs.level))
        self.register_buffer("start", start)
        self.item_bias = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(items)) for name in self.sides}
        )
        self.level_share = nn.Parameter(torch.tensor(LOGITS_A_POINT))

    @property
    def sides(self) -> tuple[str, ...]:
        return ("rating", "interaction") if self.side == "both" else (self.side,)

    def score(self, side: str, value: Tensor, fan: Tensor, item: Tensor) -> Tensor:
        """A head's value with the biases that go with it."""
        value = value + self.item_bias[side][item]
        if side == "interaction":
            value = value + self.start[item] + self.level_share * self.level[fan]
        return value

    def told(
        self, values: dict[str, Tensor], fan: Tensor, item: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        scored = {side: self.score(side, value, fan, item) for side, value in values.items()}
        return scored.get("rating"), scored.get("interaction")

    def offset(self, side: str) -> npt.NDArray[np.float64]:
        """What the anime adds to the head's values by itself, (items,)."""
        own = self.item_bias[side] + (self.start if side == "interaction" else 0.0)
        return np.asarray(own.detach().cpu().numpy(), np.float64)

    def penalty(self) -> Tensor:
        own = super().penalty()
        for bias in self.item_bias.values():
            own = own + bias.square().sum()
        return own

    def freeze(self, fans: npt.NDArray[np.int64]) -> Frozen:
        """Heads whose vectors are turned for the fans trained on."""
        raise NotImplementedError


def fit_network(
    name: str,
    kind: Callable[[Pairs, Side, Settings], TaskNetwork],
    sides: Sequence[Side],
    ratings: Ratings,
    anime_id: npt.NDArray[np.int32],
    settings: Settings,
    *,
    progress: bool = False,
) -> FittedEngine:
    """Train a network for each of the sides, and put them together for a model's anime."""
    pairs = make_pairs(ratings, validation=settings.validation, seed=settings.seed)
    arrays, numbers = baseline_arrays(pairs.baseline)
    metrics: dict[str, float] = {}
    numbers |= settings_numbers(settings)
    for side in sides:
        rows = rows_of_side(pairs, side)
        fans = trained_fans(pairs, rows)

        def look(network: Network, fans: npt.NDArray[np.int64] = fans) -> float:
            assert isinstance(network, TaskNetwork)
            return loss_of(network.freeze(fans), pairs, settings, LOOK_RIDGE)

        network, outcome = learn(
            lambda side=side: kind(pairs, side, settings),  # type: ignore[misc]
            pairs,
            settings,
            look,
            rows=rows,
            name=f"{name} {side}",
            progress=progress,
        )
        assert isinstance(network, TaskNetwork)
        frozen = network.freeze(fans)
        ridge = best_ridge(lambda r, frozen=frozen: loss_of(frozen, pairs, settings, r))  # type: ignore[misc]
        trunk = "trunk" if side == "both" else None
        for of_side, head in frozen.heads.items():
            arrays |= head_arrays(of_side, head, trunk)
            numbers[f"ridge_{of_side}"] = ridge
        if "rating" in frozen.heads:
            arrays["embedding"] = unit_rows(frozen.item, pairs.trained)
            squares = loss_of(frozen, pairs, settings, ridge, only="rating")
            numbers["error"] = float(np.sqrt(squares))
        if "interaction" in frozen.heads:
            numbers["level_share"] = frozen.level_share
        metrics |= outcome.numbers(side)
    return for_model(FittedEngine(arrays, numbers, metrics), anime_id, ratings.anime_ids)


def rows_of_side(pairs: Pairs, side: Side) -> npt.NDArray[np.int64]:
    """The pairs that have a target for the side."""
    scored, labelled = ~np.isnan(pairs.residual), ~np.isnan(pairs.label)
    chosen = {"rating": scored, "interaction": labelled, "both": scored | labelled}[side]
    return np.flatnonzero(chosen)


def loss_of(
    frozen: Frozen, pairs: Pairs, settings: Settings, ridge: float, *, only: str | None = None
) -> float:
    """Mean squared error and mean cross-entropy, weighted, on what the validation fans hide."""
    weights = settings.weights if len(frozen.heads) > 1 else (1.0, 1.0)
    squares: list[npt.NDArray[np.float64]] = []
    entropies: list[npt.NDArray[np.float64]] = []
    for fan in pairs.hidden:
        square, entropy = _foretold(frozen, pairs.baseline, fan, weights, ridge)
        squares.append(square)
        entropies.append(entropy)
    total = 0.0
    if "rating" in frozen.heads and only in (None, "rating"):
        total += weights[0] * _mean(squares)
    if "interaction" in frozen.heads and only in (None, "interaction"):
        total += weights[1] * _mean(entropies)
    return total


def _foretold(
    frozen: Frozen, baseline: Baseline, fan: Hidden, weights: tuple[float, float], ridge: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Squared errors and cross-entropies on one fan's hidden entries."""
    level = baseline.scored(fan.visible)[2]
    logit = frozen.level_share * level
    evidence: list[Evidence] = []
    rating, interaction = frozen.heads.get("rating"), frozen.heads.get("interaction")
    if rating is not None:
        evidence.append(told_scores(baseline, rating, fan.visible, weights[0]))
    if interaction is not None:
        evidence.append(told_labels(interaction, fan.visible, logit, weights[1]))
    vector = fold(evidence, ridge).fan
    square = entropy = np.empty(0)
    if rating is not None:
        expected = baseline.mean + baseline.item_bias[fan.position] + level
        square = (expected + rating.values(vector, fan.position) - fan.score) ** 2
    if interaction is not None:
        label = liked(fan.score, fan.status)
        judged = label >= 0
        value = logit + interaction.values(vector, fan.position[judged])
        entropy = np.logaddexp(0, value) - label[judged] * value
    return square, entropy


def _mean(parts: Sequence[npt.NDArray[np.float64]]) -> float:
    joined = np.concatenate([np.empty(0), *parts])
    return float(joined.mean()) if len(joined) else 0.0


def settings_numbers(settings: Settings) -> dict[str, Number]:
    """What goes into the manifest."""
    found: dict[str, Any] = asdict(settings)
    rating, interaction = found.pop("weights")
    del found["device"]
    return found | {"weight_rating": rating, "weight_interaction": interaction}
