"""One driver, three ways to gather statistics: the models are equal to rounding."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model_build.data.catalogue import read_catalogue
from model_build.data.dumps.prepared import open_prepared_dataset
from model_build.data.ratings import index_ratings, read_ratings
from model_build.train.cluster import DaskCluster, ShardingPlan, start_local_cluster
from model_build.train.dask_statistics import train_distributed
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts
from model_build.train.model_arrays import TrainedModel
from model_build.train.saved_statistics import train_incrementally
from model_build.util.errors import InputError
from model_build.util.progress import ProgressCallback, no_progress
from tests.model_build.data.prepared_ratings import rounding, write_catalogue, write_prepared
from tests.model_build.worlds import random_frame

SETTINGS = Hyperparameters(neighbours=40, affinity_neighbours=60, taste_neighbours=30)
PLAN = ShardingPlan(n_shards=5, block_bytes=100_000)
PARTITIONS, COLD_ITEMS = 7, 5
GATHERERS = ("local", "saved", "dask")

Train = Callable[..., TrainedModel]


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskCluster]:
    with start_local_cluster(2, 1_000_000_000) as running:
        yield running


@pytest.fixture(params=GATHERERS)
def train(request: pytest.FixtureRequest, tmp_path: Path) -> Train:
    """Train on a prepared folder with one of the gatherers."""
    how = request.param
    cluster = request.getfixturevalue("cluster") if how == "dask" else None

    def train(
        folder: Path, facts: ItemFacts | None = None, on_progress: ProgressCallback = no_progress
    ) -> TrainedModel:
        if how == "local":
            ratings = read_ratings([folder])
            return train_model(ratings, SETTINGS, facts=facts, threads=2, on_progress=on_progress)
        prepared = open_prepared_dataset(folder)
        if how == "saved":
            (tmp_path / "sums").mkdir(exist_ok=True)
            return train_incrementally(
                folder,
                prepared,
                SETTINGS,
                None,
                tmp_path / "sums",
                facts=facts,
                threads=2,
                block_bytes=PLAN.block_bytes,
                on_progress=on_progress,
            )
        return train_distributed(
            cluster,
            str(folder),
            prepared,
            SETTINGS,
            facts=facts,
            plan=PLAN,
            on_progress=on_progress,
        )

    return train


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return random_frame(5, 400, 150, 0.2).with_columns(pl.col("anime_id").cast(pl.Int32))


@pytest.fixture(scope="module")
def folder(frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ratings") / "prepared"
    write_prepared(place, frame, PARTITIONS)
    return place


@pytest.fixture(scope="module")
def expected(frame: pl.DataFrame) -> TrainedModel:
    """What training in this process makes of the same rows, not read from partitions."""
    return train_model(index_ratings(frame), SETTINGS, threads=1)


@pytest.fixture(scope="module")
def facts(frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> ItemFacts:
    file = tmp_path_factory.mktemp("catalogue") / "anime.parquet"
    known = frame["anime_id"].unique().sort().to_list()
    return ItemFacts(read_catalogue(write_catalogue(file, known, COLD_ITEMS)), cold_since=2020)


def assert_same(found: TrainedModel, expected: TrainedModel) -> None:
    assert found.counts == expected.counts
    assert set(found.hyperparameters) == set(expected.hyperparameters)
    for name, number in expected.hyperparameters.items():
        same = pytest.approx(number, rel=1e-9) if isinstance(number, float) else number
        assert found.hyperparameters[name] == same, name
    assert set(found.arrays) == set(expected.arrays)
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_allclose(
            found.arrays[name], array, rtol=1e-6, atol=rounding(name, array), err_msg=name
        )


def test_every_gatherer_fits_the_same_model(
    train: Train, folder: Path, expected: TrainedModel
) -> None:
    assert_same(train(folder), expected)


def test_progress_of_each_step_only_grows_and_ends(train: Train, folder: Path) -> None:
    steps: dict[str, list[tuple[int, int]]] = {}
    train(folder, on_progress=lambda step, done, of: steps.setdefault(step, []).append((done, of)))
    assert {"similarity", "taste similarity", "taste factors", "affinity", "newcomer"} <= set(steps)
    for reports in steps.values():
        assert [done for done, _ in reports] == sorted(done for done, _ in reports)
        assert reports[-1][0] == reports[-1][1]


def test_items_too_new_for_ratings_are_predicted(
    train: Train, folder: Path, frame: pl.DataFrame, facts: ItemFacts
) -> None:
    found = train(folder, facts)
    assert found.counts["fresh"] == COLD_ITEMS
    np.testing.assert_array_equal(
        np.setdiff1d(found.arrays["anime_id"], frame["anime_id"].unique()), facts.find_cold_ids(0)
    )
    assert_same(found, train_model(index_ratings(frame), SETTINGS, facts=facts))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pl.col("user_id") == 1, "all rows are of one user; a model needs at least two."),
        (pl.col("rating") == 0, "no row has a score from 1 to 10, so there is nothing to learn."),
    ],
)
def test_nothing_to_learn_from_is_one_sentence(
    train: Train, frame: pl.DataFrame, tmp_path: Path, rows: pl.Expr, message: str
) -> None:
    write_prepared(tmp_path / "few", frame.filter(rows), 1)
    with pytest.raises(InputError) as refused:
        train(tmp_path / "few")
    assert str(refused.value).endswith(message)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_settings_far_from_all_sense_are_named(frame: pl.DataFrame) -> None:
    absurd = SETTINGS.model_copy(update={"affinity_popularity": 1e25})
    with pytest.raises(InputError, match=r"no numbers in .*affinity_.* with these settings"):
        train_model(index_ratings(frame), absurd)


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_partition_that_is_not_what_was_prepared_is_refused(
    train: Train, folder: Path, tmp_path: Path, damage: str
) -> None:
    other = shutil.copytree(folder, tmp_path / "prepared")
    file = other / "ratings" / "000003.parquet"
    if damage == "changed":
        file.write_bytes(file.read_bytes() + b"x")
    else:
        file.unlink()
    with pytest.raises(InputError, match=str(file)):
        train(other)
