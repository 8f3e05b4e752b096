"""A Gaussian process over embeddings, trained by leaving out every score of a list in turn.

A deep kernel (Wilson and others 2016) for ratings (Lawrence and Urtasun 2009). It reads a list as
an attentive neural process does (Kim and others 2019), but what entries have in common is counted
once, because the weights are solved for. Training needs no embeddings of users: each list is an
episode, cut short at random, so visitors are folded in exactly as training saw users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from app.recommender.engines.gaussian_process import LIKE_MIDPOINT, GaussianProcessEngine
from model_build.data.holdout import ValidationUser
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine
from model_build.engines.factor_networks import LOGITS_PER_POINT
from model_build.engines.network_training import (
    NetworkSettings,
    TrainableNetwork,
    split_missing,
    to_numpy,
    train_network,
)
from model_build.engines.training_pairs import (
    TrainingPairs,
    build_training_pairs,
    svd_init,
    validation_losses,
)

DEFAULTS = NetworkSettings(
    dropout=0.6, decay=300.0, batch=4096, rate=1e-3, epochs=2, look_every=1, weights=(1.0, 1.0)
)
INITIAL_LEVEL, INITIAL_SCALE, INITIAL_NOISE, INITIAL_SHARPNESS = 0.8, 0.8, 1.2, 6.0
"""Initial standard deviations of the user bias, the kernel and the noise, and its sharpness."""
FACTOR_INIT_SCALE = 3.0
"""The singular directions of the residuals times this are where factors start."""
LEARNING_RATE_FACTORS = {"shared": 30.0, "embedding": 10.0, "factor": 1.0}
"""Factors of the learning rate by parameter; `ITEM_LEARNING_RATE_FACTOR` for the others."""
ITEM_LEARNING_RATE_FACTOR = 3.0
ITEM_PARAMETERS = ("scale", "noise", "bias", "offset")
ENGINE_ARRAYS = ("embedding", "item_factors", "scale", "noise_variance", "item_bias", "offset")
ENGINE_SCALARS = ("global_mean", "user_bias_variance", "sharpness", "slope")
MIN_ENTRIES = 2
MAX_ENTRIES = 256
"""Of a longer list, so many entries are drawn for each pass: the time grows with the cube."""
LENGTH_JITTER = 0.3
"""Lists are batched by length, give or take this share of it."""


@dataclass(frozen=True, slots=True)
class RatedList:
    """A user's scored entries, (m,) each.

    ``centered_score`` is the score less mean and item bias; ``label`` is NaN where there is none.
    """

    item: Int64Array
    centered_score: Float32Array
    label: Float32Array

    def __len__(self) -> int:
        return len(self.item)

    def select(self, rows: Int64Array) -> RatedList:
        """Return the entries at ``rows`` (r,)."""
        return RatedList(self.item[rows], self.centered_score[rows], self.label[rows])

    def subsample(self, rng: np.random.Generator, dropout: float) -> RatedList:
        """Return the list without a random share of at most ``dropout``, in random order."""
        n_kept = round(len(self) * (1.0 - dropout * rng.random()))
        n_kept = min(MAX_ENTRIES, max(MIN_ENTRIES, n_kept))
        return self.select(rng.permutation(len(self))[:n_kept])


@dataclass(frozen=True, slots=True)
class PaddedListBatch:
    """Lists of up to m entries, all (b, m): beyond the end of a list ``mask`` is False.

    Its length is the number of entries.
    """

    item: Tensor
    centered_score: Tensor
    label: Tensor
    mask: Tensor

    @classmethod
    def from_lists(cls, lists: Sequence[RatedList], device: torch.device) -> PaddedListBatch:
        """Return the lists padded to the longest."""
        shape = (len(lists), max(len(own) for own in lists))
        item, mask = np.zeros(shape, np.int64), np.zeros(shape, bool)
        score, label = np.zeros(shape, np.float32), np.full(shape, np.nan, np.float32)
        for row, own in enumerate(lists):
            entries = (row, slice(len(own)))
            item[entries], mask[entries] = own.item, True
            score[entries], label[entries] = own.centered_score, own.label
        return cls(*(torch.from_numpy(part).to(device) for part in (item, score, label, mask)))

    def __len__(self) -> int:
        return int(self.mask.sum())


def rated_lists(pairs: TrainingPairs) -> list[RatedList]:
    """Return the lists of users with at least two scores, by user."""
    scored = np.flatnonzero(~np.isnan(pairs.residual))
    rows = scored[np.argsort(pairs.user[scored], kind="stable")]
    user = pairs.user[rows]
    whole = RatedList(
        pairs.item[rows], pairs.residual[rows] + pairs.user_bias[user], pairs.label[rows]
    )
    parts = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(user)) + 1)
    return [whole.select(part) for part in parts if len(part) >= MIN_ENTRIES]


def padded_batches(
    lists: Sequence[RatedList],
    rng: np.random.Generator,
    device: torch.device,
    max_entries: int,
    dropout: float,
) -> Iterator[PaddedListBatch]:
    """Every list once, cut short, in batches of at most ``max_entries`` with the padding.

    Batches come in random order.
    """
    cut = [own.subsample(rng, dropout) for own in lists]
    length = np.array([len(own) for own in cut])
    order = np.argsort(length * (1.0 + LENGTH_JITTER * rng.random(len(cut))), kind="stable")
    groups: list[list[int]] = []
    longest = 0
    for at in order.tolist():
        longest = max(longest, int(length[at]))
        if not groups or (len(groups[-1]) + 1) * longest > max_entries:
            groups.append([])
            longest = int(length[at])
        groups[-1].append(at)
    for group in rng.permutation(len(groups)).tolist():
        yield PaddedListBatch.from_lists([cut[at] for at in groups[group]], device)


class LeaveOneOutMean(torch.autograd.Function):
    """What a Gaussian process predicts of each of its observations from all the others.

    For systems K (b, m, m), noise included, and observations y (b, m). With C = K^-1 and w = C y,
    y_i is predicted as y_i - w_i / C_ii from the others (Rasmussen and Williams 2006, section
    5.4.2): one inverse gives all. Where K has none, everything is NaN.
    """

    @staticmethod
    def forward(ctx: Any, system: Tensor, observed: Tensor) -> Tensor:
        """(b, m)."""
        lower, failed = torch.linalg.cholesky_ex(system)
        inverse = torch.cholesky_inverse(lower)
        inverse = inverse.masked_fill(failed[:, None, None] != 0, torch.nan)
        weight = torch.einsum("bij,bj->bi", inverse, observed)
        own = torch.diagonal(inverse, dim1=1, dim2=2)
        ctx.save_for_backward(inverse, weight, own)
        return observed - weight / own

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor]:
        """With C' = -C K' C: of the quotient w / C_ii, towards w and towards C_ii."""
        inverse, weight, own = ctx.saved_tensors
        towards_weight = torch.einsum("bij,bj->bi", inverse, -slope / own)
        through = (inverse * (slope * weight / own**2)[:, None, :]) @ inverse
        outer = towards_weight[:, :, None] * weight[:, None, :]
        return -through - 0.5 * (outer + outer.transpose(1, 2)), slope + towards_weight


class DeepKernelNetwork(TrainableNetwork):
    """The covariance of a user's residual scores, and the probability of a like.

    Embeddings start from the singular directions of who scored what, factors (half as many numbers)
    from those of the residuals. Both are held to where they start, and each anime's own numbers to
    0. Shared and positive parameters are logarithms.
    """

    def __init__(self, pairs: TrainingPairs, settings: NetworkSettings) -> None:
        super().__init__()
        items, seed = len(pairs.is_trained_item), settings.seed
        scored = np.where(np.isnan(pairs.residual), np.nan, 1.0).astype(np.float32)
        embedding = torch.from_numpy(svd_init(pairs, scored, settings.size, seed))
        factor = svd_init(pairs, pairs.residual, max(1, settings.size // 2), seed)
        is_zero = embedding.abs().sum(dim=1, keepdim=True) == 0
        embedding = embedding + is_zero * torch.randn_like(embedding)
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
        """Every entry's residual predicted from the others, and the logit of a like, (b, m)."""
        item, mask = batch.item, batch.mask.float()
        pairs = mask[:, :, None] * mask[:, None, :]
        noise = torch.where(batch.mask, self.noise_variance(item), 1.0)
        system = self.kernel_matrix(item) * pairs + torch.diag_embed(noise)
        bias = self.item_parameter("bias", item)
        observed = (batch.centered_score - bias) * mask
        residual = bias + LeaveOneOutMean.apply(system, observed)  # type: ignore[no-untyped-call]
        return residual, self.like_logit(item, residual)

    def kernel_matrix(self, item: Tensor) -> Tensor:
        """Covariance between all anime of each list, (b, m) to (b, m, m)."""
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
        """Variances of what no other score predicts."""
        return (2.0 * (self.shared[2] + self.item_parameter("noise", item))).exp()

    def like_logit(self, item: Tensor, residual: Tensor) -> Tensor:
        """Logits of the probabilities that anime with these predicted residuals are liked."""
        score = self.expected[item] + residual
        return self.shared[4].exp() * (score - LIKE_MIDPOINT) + self.item_parameter("offset", item)

    def loss(self, batch: PaddedListBatch, weights: tuple[float, float]) -> Tensor:
        """Squared errors and cross-entropies, weighted, per score."""
        residual, logit = self(batch)
        labelled, label = split_missing(batch.label)
        square: Tensor = (batch.mask * (residual - batch.centered_score).square()).sum()
        entropy: Tensor = (labelled * (nn.functional.softplus(logit) - label * logit)).sum()
        return (weights[0] * square + weights[1] * entropy) / batch.mask.sum()

    def penalty(self) -> Tensor:
        """Sum the squares of what is held to its start or to 0."""
        moved = (self.embedding - self.first_embedding).square().sum()
        moved = moved + (self.factor - self.first_factor).square().sum()
        for own in self.item_parameters.values():
            moved = moved + own.square().sum()
        return moved

    def export_engine(self, pairs: TrainingPairs) -> GaussianProcessEngine:
        """Return the engine over the anime of the pairs."""
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
            0.0,
        )


def fit(
    ratings: Ratings, anime_id: Int32Array, settings: NetworkSettings = DEFAULTS
) -> FittedEngine:
    """Return the engine for a model's anime, ascending ``anime_id`` (n,)."""
    pairs = build_training_pairs(ratings, n_validation=settings.validation, seed=settings.seed)
    lists = rated_lists(pairs)

    def batches(device: torch.device) -> Callable[[], Iterator[tuple[float, PaddedListBatch]]]:
        rng = np.random.default_rng(settings.seed)

        def epoch() -> Iterator[tuple[float, PaddedListBatch]]:
            n_seen = 0
            for batch in padded_batches(lists, rng, device, settings.batch, settings.dropout):
                yield n_seen / len(lists), batch
                n_seen += len(batch.item)

        return epoch

    def validate(network: DeepKernelNetwork) -> float:
        mse, log_loss = engine_losses(network.export_engine(pairs), pairs)
        return settings.weights[0] * mse + settings.weights[1] * log_loss

    with single_torch_thread():
        network, outcome = train_network(
            lambda: DeepKernelNetwork(pairs, settings),
            batches,
            sum(len(own) for own in lists),
            validate,
            settings,
            name="kernel",
            rate_factors=LEARNING_RATE_FACTORS,
            default_rate_factor=ITEM_LEARNING_RATE_FACTOR,
        )
    engine = network.export_engine(pairs)
    arrays = {name: getattr(engine, name) for name in ENGINE_ARRAYS}
    hyperparameters = settings.hyperparameters() | {
        name: getattr(engine, name) for name in ENGINE_SCALARS
    }
    hyperparameters["expected_error"] = float(np.sqrt(engine_losses(engine, pairs)[0]))
    fitted = FittedEngine(arrays, hyperparameters, outcome.metrics("both"))
    return fitted.align(ratings.anime_ids, anime_id)


def engine_losses(engine: GaussianProcessEngine, pairs: TrainingPairs) -> tuple[float, float]:
    """Mean squared error and mean cross-entropy on what the validation users hide."""

    def predict(user: ValidationUser) -> tuple[Float64Array, Float64Array]:
        score = engine.predict_scores_at(user.visible, user.hidden.position)
        return score, engine.like_logit(score, user.hidden.position)

    return validation_losses(pairs, predict)


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Many small systems are solved faster by one thread than by several that wait for another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
