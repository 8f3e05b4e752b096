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
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from app.recommender.engines.interactions import liked
from app.recommender.engines.kernel import LIKED_FROM, Kernel
from model_build.engines.base import FittedEngine
from model_build.engines.directions import directions
from model_build.engines.fitting import LOGITS_A_POINT, settings_numbers
from model_build.engines.freezing import for_model, numpy_of
from model_build.engines.keeping import keep_best
from model_build.engines.learning import Settings, rate_at, told
from model_build.engines.leave_one_out import LeaveOneOut
from model_build.engines.lists import FanList, ListBatch, fan_lists, list_batches
from model_build.engines.pairs import Pairs, make_pairs
from model_build.ratings import Ratings

DEFAULTS = Settings(
    dropout=0.6, decay=300.0, batch=4096, rate=1e-3, epochs=2, look_every=1, weights=(1.0, 1.0)
)
LEVEL, SCALE, NOISE, SHARPNESS = 0.8, 0.8, 1.2, 6.0
"""Where the standard deviations of level, attention and noise start, and the sharpness."""
FACTOR_START = 3.0
"""The singular directions of the residuals times this are where factors start."""
PACE = {"shared": 30.0, "embedding": 10.0, "factor": 1.0}
"""Learning rates beside the setting's; those of numbers that every anime has are `PACE_OWN`."""
PACE_OWN = 3.0
OWN = ("scale", "noise", "bias", "offset")
ARRAYS = ("embedding", "factor", "scale", "noise", "item_bias", "offset")
NUMBERS = ("mean", "level", "sharpness", "slope")


class KernelNetwork(nn.Module):
    """The covariance of what a fan's scores are above expectation, and the chance of a like.

    Embeddings start from the singular directions of who scored what, factors (half as many numbers)
    from those of the residuals. Both are held to where they start, and each anime's own numbers to
    0. What all share and what is above 0 is kept as logarithms.
    """

    def __init__(self, pairs: Pairs, settings: Settings) -> None:
        super().__init__()
        items, seed = len(pairs.trained), settings.seed
        scored = np.where(np.isnan(pairs.residual), np.nan, 1.0).astype(np.float32)
        embedding = torch.from_numpy(directions(pairs, scored, settings.size, seed))
        factor = directions(pairs, pairs.residual, max(1, settings.size // 2), seed)
        unplaced = embedding.abs().sum(dim=1, keepdim=True) == 0
        embedding = embedding + unplaced * torch.randn_like(embedding)
        self.embedding = nn.Parameter(normalize(embedding, dim=1))
        self.factor = nn.Parameter(torch.from_numpy(FACTOR_START * factor))
        self.own = nn.ParameterDict({name: nn.Parameter(torch.zeros(items)) for name in OWN})
        start = [LEVEL, SCALE, NOISE, SHARPNESS, LOGITS_A_POINT]
        self.shared = nn.Parameter(torch.tensor(start).log())
        expected = pairs.baseline.mean + pairs.baseline.item_bias
        self.expected: Tensor
        self.first_embedding: Tensor
        self.first_factor: Tensor
        self.register_buffer("expected", torch.from_numpy(expected.astype(np.float32)))
        self.register_buffer("first_embedding", self.embedding.detach().clone())
        self.register_buffer("first_factor", self.factor.detach().clone())

    def forward(self, batch: ListBatch) -> tuple[Tensor, Tensor]:
        """Every entry's residual as foretold from the others, and the logit of a like, (b, m)."""
        item, there = batch.item, batch.there.float()
        pairs = there[:, :, None] * there[:, None, :]
        noise = torch.where(batch.there, self.noise(item), 1.0)
        system = self.covariance(item) * pairs + torch.diag_embed(noise)
        bias = self.of("bias", item)
        above = bias + LeaveOneOut.apply(system, (batch.above - bias) * there)  # type: ignore[no-untyped-call]
        return above, self.logit(item, above)

    def covariance(self, item: Tensor) -> Tensor:
        """k between all anime of each list, (b, m) to (b, m, m)."""
        level, scale, _, sharpness, _ = self.shared.exp().unbind()
        embedding, factor = normalize(self.embedding[item], dim=2), self.factor[item]
        own = scale * self.of("scale", item).exp()
        near = torch.exp(sharpness * (embedding @ embedding.transpose(1, 2) - 1.0))
        return (
            level.square()
            + factor @ factor.transpose(1, 2)
            + own[:, :, None] * own[:, None, :] * near
        )

    def of(self, name: str, item: Tensor) -> Tensor:
        """One of the numbers that every anime has by itself."""
        own: Tensor = self.own[name][item]
        return own

    def noise(self, item: Tensor) -> Tensor:
        """Variances of what no other score tells."""
        return (2.0 * (self.shared[2] + self.of("noise", item))).exp()

    def logit(self, item: Tensor, above: Tensor) -> Tensor:
        """Of the chance that anime are liked whose scores are told to be ``above`` expectation."""
        score = self.expected[item] + above
        return self.shared[4].exp() * (score - LIKED_FROM) + self.of("offset", item)

    def loss(self, batch: ListBatch, weights: tuple[float, float]) -> Tensor:
        """Squared errors and cross-entropies, weighted, a score."""
        above, logit = self(batch)
        labelled, label = told(batch.label)
        square: Tensor = (batch.there * (above - batch.above).square()).sum()
        entropy: Tensor = (labelled * (nn.functional.softplus(logit) - label * logit)).sum()
        return (weights[0] * square + weights[1] * entropy) / batch.there.sum()

    def penalty(self) -> Tensor:
        """Squares of how far everything is from what it is held to."""
        moved = (self.embedding - self.first_embedding).square().sum()
        moved = moved + (self.factor - self.first_factor).square().sum()
        for own in self.own.values():
            moved = moved + own.square().sum()
        return moved

    def freeze(self, pairs: Pairs, error: float = 0.0) -> Kernel:
        """The engine over the anime of the pairs."""
        level, scale, noise, sharpness, slope = numpy_of(self.shared.exp())
        own = {name: numpy_of(value) for name, value in self.own.items()}
        known = pairs.trained
        embedding = numpy_of(normalize(self.embedding, dim=1)).astype(np.float32)
        return Kernel(
            pairs.baseline.mean,
            pairs.baseline.item_bias + own["bias"],
            embedding * known[:, None],
            numpy_of(self.factor).astype(np.float32) * known[:, None],
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
    anime_id: npt.NDArray[np.int32],
    settings: Settings = DEFAULTS,
    *,
    progress: bool = False,
) -> FittedEngine:
    """The engine for a model's anime."""
    pairs = make_pairs(ratings, validation=settings.validation, seed=settings.seed)
    lists = fan_lists(pairs)

    def look(network: KernelNetwork) -> float:
        square, entropy = losses_of(network.freeze(pairs), pairs)
        return settings.weights[0] * square + settings.weights[1] * entropy

    with one_thread():
        network, outcome = keep_best(
            lambda: KernelNetwork(pairs, settings),
            lambda network, device: _epochs(network, lists, device, settings),
            look,
            settings,
            name="kernel",
            progress=progress,
        )
    frozen = network.freeze(pairs)
    arrays = {name: getattr(frozen, name) for name in ARRAYS}
    numbers = settings_numbers(settings) | {name: getattr(frozen, name) for name in NUMBERS}
    numbers["error"] = float(np.sqrt(losses_of(frozen, pairs)[0]))
    metrics = outcome.numbers("both")
    return for_model(FittedEngine(arrays, numbers, metrics), anime_id, ratings.anime_ids)


def losses_of(engine: Kernel, pairs: Pairs) -> tuple[float, float]:
    """Mean squared error and mean cross-entropy on what the validation fans hide."""
    squares, entropies = [np.empty(0)], [np.empty(0)]
    for fan in pairs.hidden:
        score = engine.score_at(fan.visible, fan.position)
        squares.append((score - fan.score) ** 2)
        label = liked(fan.score, fan.status)
        value = engine.logit(score, fan.position)
        entropies.append((np.logaddexp(0, value) - label * value)[label >= 0])
    square, entropy = np.concatenate(squares), np.concatenate(entropies)
    return float(square.mean()), float(entropy.mean()) if len(entropy) else 0.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Many small systems are solved faster by one thread than by several that wait for another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _epochs(
    network: KernelNetwork, lists: Sequence[FanList], device: torch.device, settings: Settings
) -> Iterator[float]:
    """Train an epoch each, giving its mean loss a score."""
    pace = {name: PACE.get(name, PACE_OWN) for name, _ in network.named_parameters()}
    optimizer = torch.optim.Adam(
        [{"params": [value], "pace": pace[name]} for name, value in network.named_parameters()],
        lr=settings.rate,
    )
    rng = np.random.default_rng(settings.seed)
    decay = settings.decay / sum(len(fan) for fan in lists)
    for epoch in range(settings.epochs):
        total, scores, seen = 0.0, 0, 0
        for batch in list_batches(lists, rng, device, settings.batch, settings.dropout):
            share = rate_at(settings.schedule, (epoch + seen / len(lists)) / settings.epochs)
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * share * group["pace"]
            loss = network.loss(batch, settings.weights)
            optimizer.zero_grad()
            (loss + decay * network.penalty()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            many = int(batch.there.sum())
            total += float(loss.detach()) * many
            scores += many
            seen += len(batch.item)
        yield total / scores
