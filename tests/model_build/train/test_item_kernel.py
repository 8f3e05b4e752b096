"""The kernel of who scored what: its gradient, against differences and lists really cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from app.recommender.array_types import Float32Array, Float64Array, Int32Array
from model_build.train import item_kernel
from model_build.train.item_kernel import (
    KernelParameters,
    accumulate_list_gradient,
    fit_item_kernel,
)

ITEMS = np.array([7, 2, 5, 0, 9], np.int32)


def drawn_parameters(seed: int) -> KernelParameters:
    rng = np.random.default_rng(seed)
    return KernelParameters(
        rng.normal(size=(10, 4)).astype(np.float32),
        rng.normal(scale=0.3, size=10).astype(np.float32),
        np.log(np.array([0.4, 0.9, 2.0], np.float32)),
    )


def left_out(
    parameters: KernelParameters, items: Int32Array, value: Float64Array | Float32Array
) -> Float64Array:
    """What is off about each entry, predicted from the others alone, in double precision."""
    parameters = KernelParameters(
        *(array.astype(np.float64) for array in parameters.arrays().values())  # type: ignore[arg-type]
    )
    unit = parameters.embedding / np.linalg.norm(parameters.embedding, axis=1, keepdims=True)
    bias, variance, sharpness = np.exp(parameters.shared)
    covariance = bias + variance * np.exp(sharpness * (unit @ unit.T - 1))
    noise = np.exp(parameters.log_noise)
    errors = []
    for out in range(len(items)):
        rest = np.delete(items, out)
        system = covariance[np.ix_(rest, rest)] + np.diag(noise[rest])
        weight = np.linalg.solve(system, np.delete(value, out))
        errors.append(value[out] - covariance[items[out], rest] @ weight)
    return np.array(errors)


def test_one_inverse_leaves_out_every_entry() -> None:
    parameters = drawn_parameters(1)
    value = np.random.default_rng(2).normal(size=5).astype(np.float32)
    found = accumulate_list_gradient(parameters, ITEMS, value, np.float32(1), parameters.zeros())
    errors = left_out(parameters, ITEMS, value)
    assert found == pytest.approx(errors @ errors, rel=1e-4)


@pytest.mark.parametrize("name", ["embedding", "log_noise", "shared"])
def test_the_gradient_is_that_of_small_differences(name: str) -> None:
    parameters, gradient = drawn_parameters(3), drawn_parameters(3).zeros()
    value = np.random.default_rng(4).normal(size=5).astype(np.float32)
    accumulate_list_gradient(parameters, ITEMS, value, np.float32(0.5), gradient)

    whole = getattr(parameters, name).astype(np.float64)
    expected = np.zeros_like(whole)
    for place in np.ndindex(whole.shape):
        losses = []
        for step in (1e-5, -1e-5):
            moved = whole.copy()
            moved[place] += step
            errors = left_out(replace(parameters, **{name: moved}), ITEMS, value)
            losses.append(0.5 * errors @ errors)
        expected[place] = (losses[0] - losses[1]) / 2e-5
    np.testing.assert_allclose(getattr(gradient, name), expected, rtol=2e-3, atol=2e-4)


def drawn_scores(seed: int) -> csr_array:
    """Users of two camps, who watch and like the one half of the anime or the other."""
    rng = np.random.default_rng(seed)
    camp, half = rng.integers(2, size=300), np.arange(20) % 2
    watched = rng.random((300, 20)) < np.where(camp[:, None] == half, 0.6, 0.15)
    taste = rng.normal(size=(300, 2))[:, half] + 0.3 * rng.normal(size=(300, 20))
    return csr_array((taste * watched).astype(np.float32))


def test_those_who_are_watched_and_liked_together_are_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(item_kernel, "EMBEDDING_SIZE", 6)
    kernel = fit_item_kernel(drawn_scores(5), threads=1, epochs=4)
    block, half = kernel.block(slice(None), slice(None)), np.arange(20) % 2
    np.testing.assert_allclose(block.diagonal(), kernel.variance, rtol=1e-4)
    same = half[:, None] == half
    off = ~np.eye(20, dtype=bool)
    assert block[same & off].mean() > 2 * block[~same].mean()


def test_training_lowers_the_errors_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_kernel, "BATCH_ENTRIES", 300)
    others = drawn_scores(7)
    losses = []
    for epochs in (0, 20):
        kernel = fit_item_kernel(drawn_scores(6), threads=1, epochs=epochs)
        as_parameters = KernelParameters(
            kernel.embedding,
            np.log(kernel.noise),
            np.log(np.array([0.4, kernel.variance, kernel.sharpness], np.float32)),
        )
        loss = 0.0
        for row in range(100):
            own = slice(others.indptr[row], others.indptr[row + 1])
            items, value = others.indices[own], others.data[own]
            if len(items) > 1:
                errors = left_out(as_parameters, items, value)
                loss += errors @ errors
        losses.append(loss)
    assert losses[1] < 0.95 * losses[0]


def test_it_is_the_same_every_time_and_with_any_threads() -> None:
    one, two = (fit_item_kernel(drawn_scores(8), threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.embedding, two.embedding)
    np.testing.assert_array_equal(one.noise, two.noise)
    assert (one.variance, one.sharpness) == (two.variance, two.sharpness)
