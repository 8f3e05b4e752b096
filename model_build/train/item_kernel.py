"""How alike two anime are to users, trained by leaving out every score of a list in turn.

A deep kernel (Wilson and others 2016) for ratings (Lawrence and Urtasun 2009): the covariance of
the standard scores of two anime is

    k(i, j) = variance exp(sharpness (u_i'u_j - 1))

of embeddings u of length 1, which start from who scored what. Each list, cut short at random, is
an episode: with K the covariance of its entries, noise and user bias included, C = K^-1 and
w = C y, the others predict y_i as y_i - w_i / C_ii (Rasmussen and Williams 2006, section 5.4.2).
The squares of w_i / C_ii are minimised by Adam. One inverse gives all of them, and their gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from app.recommender.array_types import Float32Array, Int32Array, Int64Array
from model_build.train.linear_algebra import (
    copy_lower_to_upper,
    invert_spd_in_place,
    leading_singular_vectors,
)
from model_build.util.progress import ProgressCallback, no_progress

EMBEDDING_SIZE = 128
EPOCHS = 2
LEARNING_RATE = 1e-3
RATE_FACTORS = {"embedding": 5.0, "log_noise": 3.0, "shared": 30.0}
"""Factors of the learning rate by parameter."""
PRIOR_PRECISION = 300.0
"""How strongly parameters are held to where they start, in units of one score's loss."""
ADAM_MEAN_DECAY, ADAM_SQUARE_DECAY, ADAM_EPSILON = 0.9, 0.999, 1e-8
BATCH_ENTRIES = 4096
MAX_ENTRIES = 512
"""Of a longer list, so many entries are drawn for each pass: the time grows with the cube."""
MAX_DROPPED_SHARE = 0.6
INITIAL_BIAS_VARIANCE, INITIAL_VARIANCE, INITIAL_NOISE, INITIAL_SHARPNESS = 0.32, 0.32, 0.53, 6.0
POPULARITY_DAMPING = 30.0
"""Anime with about so many scores weigh half as much in the first embeddings."""
PARALLEL_PARTS = 2


@dataclass(frozen=True, slots=True)
class ItemKernel:
    """``embedding`` (m, d) has rows of length 1; ``noise`` variance is (m,)."""

    embedding: Float32Array
    variance: float
    sharpness: float
    noise: Float32Array

    def block(self, rows: slice, columns: slice) -> Float32Array:
        """Return the covariance k of items (r,) with others (c,), (r, c)."""
        block = self.embedding[rows] @ self.embedding[columns].T
        block -= 1.0
        block *= self.sharpness
        np.exp(block, out=block)
        block *= self.variance
        return np.asarray(block, np.float32)


@dataclass(frozen=True, slots=True)
class KernelParameters:
    """What is trained: ``embedding`` (m, d) and ``log_noise`` (m,) of each item.

    ``shared`` (3,) are the logarithms of the user biases' variance, of the kernel's variance and of
    its sharpness.
    """

    embedding: Float32Array
    log_noise: Float32Array
    shared: Float32Array

    @classmethod
    def initial(cls, scores: csr_array) -> KernelParameters:
        """Start from the singular directions of who scored what, (users, m)."""
        m = scores.shape[1]
        start = np.array([INITIAL_BIAS_VARIANCE, INITIAL_VARIANCE, INITIAL_SHARPNESS], np.float32)
        return cls(
            _initial_embedding(scores), np.full(m, np.log(INITIAL_NOISE), np.float32), np.log(start)
        )

    def zeros(self) -> KernelParameters:
        """Return zeros of the same shapes."""
        return KernelParameters(*(np.zeros_like(array) for array in self.arrays().values()))

    def arrays(self) -> dict[str, Float32Array]:
        """Return the parameters by name, each in its own shape."""
        return {name: getattr(self, name) for name in RATE_FACTORS}

    def kernel(self) -> ItemKernel:
        """Return the kernel of these parameters."""
        length = np.linalg.norm(self.embedding, axis=1, keepdims=True)
        return ItemKernel(
            self.embedding / length,
            float(np.exp(self.shared[1])),
            float(np.exp(self.shared[2])),
            np.exp(self.log_noise),
        )


def fit_item_kernel(
    scores: csr_array,
    *,
    threads: int,
    epochs: int = EPOCHS,
    on_progress: ProgressCallback = no_progress,
) -> ItemKernel:
    """Train the kernel of the m items on standard scores (users, m), the same way every time."""
    parameters = KernelParameters.initial(scores)
    start = KernelParameters(*(array.copy() for array in parameters.arrays().values()))
    mean, square = parameters.zeros(), parameters.zeros()
    parts = [parameters.zeros() for _ in range(PARALLEL_PARTS)]
    rng = np.random.default_rng(0)
    decay = 2.0 * PRIOR_PRECISION / max(1, scores.nnz)
    step = 0

    def accumulate(part: int, lists: list[Int64Array], n_entries: int) -> None:
        gradient = parts[part]
        for array in gradient.arrays().values():
            array.fill(0.0)
        for entries in lists[part::PARALLEL_PARTS]:
            accumulate_list_gradient(
                parameters,
                scores.indices[entries],
                scores.data[entries],
                np.float32(1.0 / n_entries),
                gradient,
            )

    # Each part works on lists of its own; threads of BLAS within would fight theirs.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for epoch in range(epochs):
            for done, lists in _batches(scores.indptr, rng):
                n_entries = sum(map(len, lists))
                work = [
                    pool.submit(accumulate, part, lists, n_entries)
                    for part in range(PARALLEL_PARTS)
                ]
                for future in work:
                    future.result()
                step += 1
                rate = LEARNING_RATE * (1.0 - (epoch + done) / epochs)
                for name, factor in RATE_FACTORS.items():
                    for part in parts[1:]:
                        getattr(parts[0], name)[:] += getattr(part, name)
                    value, gradient, mean_of, square_of, held_to = (
                        getattr(of, name).reshape(-1)
                        for of in (parameters, parts[0], mean, square, start)
                    )
                    _adam_step(
                        value,
                        gradient,
                        mean_of,
                        square_of,
                        held_to,
                        decay if name != "shared" else 0.0,
                        rate * factor,
                        1.0 - ADAM_MEAN_DECAY**step,
                        1.0 - ADAM_SQUARE_DECAY**step,
                    )
            on_progress("taste kernel", epoch + 1, epochs)
    return parameters.kernel()


def accumulate_list_gradient(
    parameters: KernelParameters,
    items: Int32Array,
    value: Float32Array,
    weight: np.float32,
    gradient: KernelParameters,
) -> float:
    """Add the gradient of ``weight`` times a list's squared leave-one-out errors; returns these.

    ``items`` and ``value`` are (k,), the list.

    Of e_i = w_i / C_ii, as C' = -C K' C: with a = C (2 e / diag C), the derivative towards K is
    C diag(2 e w / diag(C)^2) C less the symmetric part of a w'.
    """
    embedding = parameters.embedding[items]
    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    embedding = embedding / length
    bias_variance, variance, sharpness = np.exp(parameters.shared)
    noise = np.exp(parameters.log_noise[items])
    near = np.exp(sharpness * (embedding @ embedding.T - np.float32(1.0)))
    near *= variance
    inverse = near + bias_variance
    inverse[np.diag_indices_from(inverse)] += noise
    invert_spd_in_place(inverse)
    copy_lower_to_upper(inverse)

    solved, own = inverse @ value, inverse.diagonal().copy()
    error = solved / own
    slope = 2.0 * weight * error / own
    back = inverse @ slope
    towards = (inverse * (slope * error)) @ inverse
    outer = back[:, None] * solved
    towards -= 0.5 * (outer + outer.T)

    gradient.shared[0] += bias_variance * towards.sum()
    gradient.log_noise[items] += towards.diagonal() * noise
    towards *= near
    total = towards.sum()
    gradient.shared[1] += total
    pulled = towards @ embedding
    along = (pulled * embedding).sum(axis=1, keepdims=True)
    gradient.shared[2] += sharpness * (along.sum() - total)
    gradient.embedding[items] += 2.0 * sharpness * (pulled - along * embedding) / length
    return float(error @ error)


def _batches(
    indptr: Int64Array, rng: np.random.Generator
) -> Iterator[tuple[float, list[Int64Array]]]:
    """Every list once, cut short, with the share of lists done before."""
    n_lists = len(indptr) - 1
    batch: list[Int64Array] = []
    n_entries, begun = 0, 0
    for done, row in enumerate(rng.permutation(n_lists).tolist(), 1):
        first, last = int(indptr[row]), int(indptr[row + 1])
        n_kept = round((last - first) * (1.0 - MAX_DROPPED_SHARE * rng.random()))
        n_kept = min(MAX_ENTRIES, max(2, n_kept))
        batch.append(first + rng.permutation(last - first)[:n_kept])
        n_entries += n_kept
        if n_entries >= BATCH_ENTRIES or done == n_lists:
            yield begun / n_lists, batch
            batch, n_entries, begun = [], 0, done


def _initial_embedding(scores: csr_array) -> Float32Array:
    """Items in the leading singular directions of who scored what, (m, d) of length 1.

    Users and items weigh by the inverse root of their number of scores, so that neither long lists
    nor what everybody has seen decides. The items without any direction get random ones.
    """
    of_user = np.diff(scores.indptr)
    of_item = np.bincount(scores.indices, minlength=scores.shape[1])
    weight = 1.0 / np.sqrt(
        np.repeat(of_user, of_user) * (of_item[scores.indices] + POPULARITY_DAMPING)
    )
    seen = csr_array((weight.astype(np.float32), scores.indices, scores.indptr), shape=scores.shape)
    embedding = leading_singular_vectors(seen, EMBEDDING_SIZE)
    length = np.linalg.norm(embedding, axis=1)
    lost = length < 1e-6 * length.max(initial=1e-30)
    embedding[lost] = np.random.default_rng(0).normal(size=(int(lost.sum()), embedding.shape[1]))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding


@numba.njit(nogil=True, cache=True)
def _adam_step(
    value: Float32Array,
    gradient: Float32Array,
    mean: Float32Array,
    square: Float32Array,
    start: Float32Array,
    decay: float,
    rate: float,
    mean_share: float,
    square_share: float,
) -> None:
    """Move ``value`` against the gradient and towards ``start`` (Adam, Kingma and Ba 2015)."""
    for k in range(len(value)):
        slope = gradient[k] + decay * (value[k] - start[k])
        mean[k] += (1.0 - ADAM_MEAN_DECAY) * (slope - mean[k])
        square[k] += (1.0 - ADAM_SQUARE_DECAY) * (slope * slope - square[k])
        value[k] -= rate * mean[k] / mean_share / (np.sqrt(square[k] / square_share) + ADAM_EPSILON)
