"""A Gaussian process over embeddings, trained by leaving out every score of a list in turn.

A deep kernel (Wilson and others 2016) for ratings (Lawrence and Urtasun 2009). It reads a list as
an attentive neural process does (Kim and others 2019), but what entries have in common is counted
once, because the weights are solved for. Training needs no embeddings of fans: each list is an
episode, cut short at random, so visitors are folded in exactly as training saw fans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from app.recommender.array_types import Int32Array
from app.recommender.engines.gaussian_process import LIKE_MIDPOINT, GaussianProcessEngine
from app.recommender.engines.labels import like_labels
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine
from model_build.engines.early_stopping import train_with_early_stopping
from model_build.engines.export import align_to_model, to_numpy
from model_build.engines.leave_one_out import LeaveOneOutMean
from model_build.engines.multi_task_network import LOGITS_PER_POINT, network_hyperparameters
from model_build.engines.network_training import NetworkSettings, learning_rate_share, split_missing
from model_build.engines.padded_batches import (
    PaddedListBatch,
    RatedList,
    padded_batches,
    rated_lists,
)
from model_build.engines.svd_init import svd_init
from model_build.engines.training_pairs import TrainingPairs, build_training_pairs

DEFAULTS = NetworkSettings(
    dropout=0.6, decay=300.0, batch=4096, rate=1e-3, epochs=2, look_every=1, weights=(1.0, 1.0)
)
INITIAL_LEVEL, INITIAL_SCALE, INITIAL_NOISE, INITIAL_SHARPNESS = 0.8, 0.8, 1.2, 6.0
"""Where the standard deviations of level, attention and noise start, and the sharpness."""
FACTOR_INIT_SCALE = 3.0
"""The singular directions of the residuals times this are where factors start."""
LEARNING_RATE_FACTORS = {"shared": 30.0, "embedding": 10.0, "factor": 1.0}
"""Learning rates beside the setting's; those of numbers that every anime has are `PACE_OWN`."""
ITEM_LEARNING_RATE_FACTOR = 3.0
ITEM_PARAMETERS = ("scale", "noise", "bias", "offset")
ENGINE_ARRAYS = ("embedding", "item_factors", "scale", "noise_variance", "item_bias", "offset")
ENGINE_SCALARS = ("global_mean", "user_bias_variance", "sharpness", "slope")


class DeepKernelNetwork(nn.Module):
    """The covariance of what a fan's scores are above expectation, and the chance of a like.

    Embeddings start from the singular directions of who scored what, factors (half as many numbers)
    from those of the residuals. Both are held to where they start, and each anime's own numbers to
    0. What all share and what is above 0 is kept as logarithms.
    """

    def __init__(self, pairs: TrainingPairs, settings: NetworkSettings) -> None:
        super().__init__()
        items, seed = len(pairs.is_trained_item), settings.seed
        scored = np.where(np.isnan(pairs.residual), np.nan, 1.0).astype(np.float32)
        embedding = torch.from_numpy(svd_init(pairs, scored, settings.size, seed))
        factor = svd_init(pairs, pairs.residual, max(1, settings.size // 2), seed)
        unplaced = embedding.abs().sum(dim=1, keepdim=True) == 0
        embedding = embedding + unplaced * torch.randn_like(embedding)
        self.embedding = nn.Parameter(normalize(embedding, dim=1))
        self.factor = nn.Parameter(torch.from_numpy(FACTOR_INIT_SCALE * factor))
        self.item_parameters = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(items)) for name in ITEM_PARAMETERS}
        )
        start = [INITIAL_LEVEL, INITIAL_SCALE, INITIAL_NOISE, INITIAL_SHARPNESS, LOGITS_PER_POINT]
        self.shared = nn.Parameter(torch.tensor(start).log())
        expected = pairs.baseline.global_mean + pairs.baseline.item_bias
        self.expected: Tensor
        self.first_embedding: Tensor
        self.first_factor: Tensor
        self.register_buffer("expected", torch.from_numpy(expected.astype(np.float32)))
        self.register_buffer("first_embedding", self.embedding.detach().clone())
        self.register_buffer("first_factor", self.factor.detach().clone())

    def forward(self, batch: PaddedListBatch) -> tuple[Tensor, Tensor]:
        """Every entry's residual as foretold from the others, and the logit of a like, (b, m)."""
        item, there = batch.item, batch.mask.float()
        pairs = there[:, :, None] * there[:, None, :]
        noise = torch.where(batch.mask, self.noise_variance(item), 1.0)
        system = self.kernel_matrix(item) * pairs + torch.diag_embed(noise)
        bias = self.item_parameter("bias", item)
        above = bias + LeaveOneOutMean.apply(system, (batch.centered_score - bias) * there)  # type: ignore[no-untyped-call]
        return above, self.like_logit(item, above)

    def kernel_matrix(self, item: Tensor) -> Tensor:
        """k between all anime of each list, (b, m) to (b, m, m)."""
        level, scale, _, sharpness, _ = self.shared.exp().unbind()
        embedding, factor = normalize(self.embedding[item], dim=2), self.factor[item]
        own = scale * self.item_parameter("scale", item).exp()
        near = torch.exp(sharpness * (embedding @ embedding.transpose(1, 2) - 1.0))
        return (
            level.square()
            + factor @ factor.transpose(1, 2)
            + own[:, :, None] * own[:, None, :] * near
        )

    def item_parameter(self, name: str, item: Tensor) -> Tensor:
        """One of the numbers that every anime has by itself."""
        own: Tensor = self.item_parameters[name][item]
        return own

    def noise_variance(self, item: Tensor) -> Tensor:
        """Variances of what no other score tells."""
        return (2.0 * (self.shared[2] + self.item_parameter("noise", item))).exp()

    def like_logit(self, item: Tensor, residual: Tensor) -> Tensor:
        """Of the chance that anime are liked whose scores are told to be ``above`` expectation."""
        score = self.expected[item] + residual
        return self.shared[4].exp() * (score - LIKE_MIDPOINT) + self.item_parameter("offset", item)

    def loss(self, batch: PaddedListBatch, weights: tuple[float, float]) -> Tensor:
        """Squared errors and cross-entropies, weighted, a score."""
        above, logit = self(batch)
        labelled, label = split_missing(batch.label)
        square: Tensor = (batch.mask * (above - batch.centered_score).square()).sum()
        entropy: Tensor = (labelled * (nn.functional.softplus(logit) - label * logit)).sum()
        return (weights[0] * square + weights[1] * entropy) / batch.mask.sum()

    def penalty(self) -> Tensor:
        """Squares of how far everything is from what it is held to."""
        moved = (self.embedding - self.first_embedding).square().sum()
        moved = moved + (self.factor - self.first_factor).square().sum()
        for own in self.item_parameters.values():
            moved = moved + own.square().sum()
        return moved

    def export_engine(self, pairs: TrainingPairs, error: float = 0.0) -> GaussianProcessEngine:
        """The engine over the anime of the pairs."""
        level, scale, noise, sharpness, slope = to_numpy(self.shared.exp())
        own = {name: to_numpy(value) for name, value in self.item_parameters.items()}
        known = pairs.is_trained_item
        embedding = to_numpy(normalize(self.embedding, dim=1)).astype(np.float32)
        return GaussianProcessEngine(
            pairs.baseline.global_mean,
            pairs.baseline.item_bias + own["bias"],
            embedding * known[:, None],
            to_numpy(self.factor).astype(np.float32) * known[:, None],
            scale * np.exp(own["scale"]) * known,
            (noise * np.exp(own["noise"])) ** 2,
            float(level**2),
            float(sharpness),
            own["offset"],
            float(slope),
            known,
            error,
        )


def fit(
    ratings: Ratings,
    anime_id: Int32Array,
    settings: NetworkSettings = DEFAULTS,
    *,
    progress: bool = False,
) -> FittedEngine:
    """The engine for a model's anime."""
    pairs = build_training_pairs(ratings, n_validation=settings.validation, seed=settings.seed)
    lists = rated_lists(pairs)

    def validate(network: DeepKernelNetwork) -> float:
        square, entropy = validation_losses(network.export_engine(pairs), pairs)
        return settings.weights[0] * square + settings.weights[1] * entropy

    with single_torch_thread():
        network, outcome = train_with_early_stopping(
            lambda: DeepKernelNetwork(pairs, settings),
            lambda network, device: _train_epochs(network, lists, device, settings),
            validate,
            settings,
            name="kernel",
            progress=progress,
        )
    frozen = network.export_engine(pairs)
    arrays = {name: getattr(frozen, name) for name in ENGINE_ARRAYS}
    numbers = network_hyperparameters(settings) | {
        name: getattr(frozen, name) for name in ENGINE_SCALARS
    }
    numbers["expected_error"] = float(np.sqrt(validation_losses(frozen, pairs)[0]))
    metrics = outcome.metrics("both")
    return align_to_model(FittedEngine(arrays, numbers, metrics), anime_id, ratings.anime_ids)


def validation_losses(engine: GaussianProcessEngine, pairs: TrainingPairs) -> tuple[float, float]:
    """Mean squared error and mean cross-entropy on what the validation fans hide."""
    squares, entropies = [np.empty(0)], [np.empty(0)]
    for fan in pairs.validation_users:
        score = engine.predict_scores_at(fan.visible, fan.hidden_position)
        squares.append((score - fan.hidden_score) ** 2)
        label = like_labels(fan.hidden_score, fan.hidden_status)
        value = engine.like_logit(score, fan.hidden_position)
        entropies.append((np.logaddexp(0, value) - label * value)[label >= 0])
    square, entropy = np.concatenate(squares), np.concatenate(entropies)
    return float(square.mean()), float(entropy.mean()) if len(entropy) else 0.0


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Many small systems are solved faster by one thread than by several that wait for another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train_epochs(
    network: DeepKernelNetwork,
    lists: Sequence[RatedList],
    device: torch.device,
    settings: NetworkSettings,
) -> Iterator[float]:
    """Train an epoch each, giving its mean loss a score."""
    pace = {
        name: LEARNING_RATE_FACTORS.get(name, ITEM_LEARNING_RATE_FACTOR)
        for name, _ in network.named_parameters()
    }
    optimizer = torch.optim.Adam(
        [{"params": [value], "pace": pace[name]} for name, value in network.named_parameters()],
        lr=settings.rate,
    )
    rng = np.random.default_rng(settings.seed)
    decay = settings.decay / sum(len(fan) for fan in lists)
    for epoch in range(settings.epochs):
        total, scores, seen = 0.0, 0, 0
        for batch in padded_batches(lists, rng, device, settings.batch, settings.dropout):
            share = learning_rate_share(
                settings.schedule, (epoch + seen / len(lists)) / settings.epochs
            )
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * share * group["pace"]
            loss = network.loss(batch, settings.weights)
            optimizer.zero_grad()
            (loss + decay * network.penalty()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            many = int(batch.mask.sum())
            total += float(loss.detach()) * many
            scores += many
            seen += len(batch.item)
        yield total / scores
