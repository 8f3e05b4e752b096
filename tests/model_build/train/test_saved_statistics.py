"""Adding fans to kept sums, against the plain computation over all fans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from app.recommender.array_types import Float64Array
from app.recommender.artifact import ModelArtifact, open_artifact
from model_build.cli import main
from model_build.data.dumps.prepared import INDEX_FILE, PreparedDataset, open_prepared_dataset
from model_build.data.grouping import GroupedRatings, group_ratings
from model_build.data.ratings import Ratings, read_ratings
from model_build.train import saved_statistics as training
from model_build.train.model_arrays import encode_item_matrix
from model_build.train.score_model import (
    STD_PRIOR_WEIGHT,
    StandardScores,
    fit_gaussian_factor_model,
    gaussian_item_count,
    standard_score_matrix,
    standard_score_values,
)
from model_build.train.similarity import pearson_baseline_similarity
from model_build.util.hashing import sample_by_hash
from tests.model_build.data.prepared_ratings import (
    partition_of,
    rounding,
    write_catalogue,
    write_prepared,
)
from tests.model_build.worlds import random_frame

ALL = "1000"
EVERYTHING = ["--quiet", "--neighbours", ALL, "--taste-neighbours", ALL]


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training.train_incrementally, "__kwdefaults__", {"threads": 2, "block_bytes": 90_000}
        )
        yield


@pytest.fixture(scope="module")
def world() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lists of fans, and of fans who came later: some of their anime are new."""
    frame = random_frame(11, 260, 120, 0.2)
    late = frame["anime_id"].unique().sort()[::9].to_list()
    before = frame.filter((pl.col("user_id") <= 200) & ~pl.col("anime_id").is_in(late))
    return before, frame.filter(pl.col("user_id") > 200)


@pytest.fixture(scope="module")
def folder(
    world: tuple[pl.DataFrame, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """``old`` ratings, ``all`` ratings, a ``model`` of the old ones, and ``fresh`` of all."""
    place = tmp_path_factory.mktemp("refreshing")
    before, after = world
    write_prepared(place / "old", before, 3)
    shutil.copytree(place / "old", place / "all")
    add(place / "all", after.filter(pl.col("user_id") <= 230))
    add(place / "all", after.filter(pl.col("user_id") > 230))
    run("--ratings", place / "old", "--out", place / "model", "--keep-sums")
    run("--ratings", place / "all", "--out", place / "fresh", "--since", place / "model")
    return place


def add(folder: Path, frame: pl.DataFrame) -> None:
    """One more partition."""
    prepared = open_prepared_dataset(folder)
    partition = partition_of(folder, len(prepared.partitions), frame)
    more = PreparedDataset(
        **{**prepared.model_dump(), "partitions": [*prepared.partitions, partition]}
    )
    (folder / INDEX_FILE).write_text(more.model_dump_json(), "utf-8")


def run(*arguments: object) -> None:
    assert main(["train", *EVERYTHING, *map(str, arguments)]) == 0


def assert_close(found: ModelArtifact, expected: dict[str, npt.NDArray[np.generic]]) -> None:
    for name, array in expected.items():
        np.testing.assert_allclose(
            found.arrays[name], array, rtol=1e-6, atol=rounding(name, array), err_msg=name
        )


def grouped(ratings: Ratings) -> GroupedRatings:
    shape = len(ratings.user_ids), len(ratings.anime_ids)
    return group_ratings(
        ratings.user, ratings.item, ratings.rating, *shape, selected=ratings.rated_mask
    )


def residuals(
    ratings: GroupedRatings, mean: float, bias: Float64Array, reg: float
) -> tuple[Float64Array, Float64Array]:
    """What fixed baselines leave, and each fan's bias in closed form."""
    user = np.repeat(np.arange(ratings.n_users), np.diff(ratings.user_indptr))
    beyond = ratings.user_rating - mean - bias[ratings.order][ratings.user_item]
    count = np.bincount(user, minlength=ratings.n_users)
    own = np.bincount(user, beyond, ratings.n_users) / (count + reg)
    return beyond - own[user], own


def test_anime_too_new_for_ratings_have_their_places(folder: Path, tmp_path: Path) -> None:
    """Also after a refresh, which has those of its own catalogue alone."""
    known = read_ratings([folder / "old"]).anime_ids.tolist()
    table = write_catalogue(tmp_path / "anime.parquet", known, 5)
    facts = ["--catalogue", table, "--fresh-since", "2020"]
    run("--ratings", folder / "old", "--out", tmp_path / "plain", *facts)
    run("--ratings", folder / "old", "--out", tmp_path / "kept", "--keep-sums", *facts)
    plain, kept = open_artifact(tmp_path / "plain"), open_artifact(tmp_path / "kept")
    assert kept.manifest.counts == plain.manifest.counts
    assert kept.manifest.counts["fresh"] == 5
    assert_close(kept, dict(plain.arrays))
    since = ["--since", tmp_path / "kept"]
    pl.read_parquet(table).head(-3).write_parquet(table)
    run("--ratings", folder / "all", "--out", tmp_path / "fresh", *since, *facts)
    run("--ratings", folder / "all", "--out", tmp_path / "full", *facts)
    fresh, full = open_artifact(tmp_path / "fresh"), open_artifact(tmp_path / "full")
    assert fresh.manifest.counts["fresh"] == full.manifest.counts["fresh"] == 2
    assert_close(fresh, {name: full.arrays[name] for name in ("anime_id", "affinity_indices")})


def test_a_refresh_is_all_fans_with_the_old_baselines(folder: Path) -> None:
    """Each part by the code that trains in one go, on all ratings and the refreshed biases."""
    fresh, old = open_artifact(folder / "fresh"), open_artifact(folder / "model")
    ratings = grouped(read_ratings([folder / "all"]))
    numbers = fresh.manifest.hyperparameters
    for name in ("global_mean", "score_model_score_std"):
        assert numbers[name] == old.manifest.hyperparameters[name]
    mean, spread = float(numbers["global_mean"]), float(numbers["score_model_score_std"])

    residual, _ = residuals(ratings, mean, fresh.arrays["item_bias"], 15.0)
    similarity = pearson_baseline_similarity(ratings, residual, neighbours=int(ALL))
    assert_close(fresh, encode_item_matrix("similarity", similarity.T, "exact")[0])

    bias = fresh.arrays["score_model_item_bias"]
    within, level = residuals(ratings, mean, bias, 5.0)
    user = np.repeat(np.arange(ratings.n_users), np.diff(ratings.user_indptr))
    squares = np.bincount(user, within**2, ratings.n_users)
    variance = (squares + STD_PRIOR_WEIGHT * spread**2) / (
        np.diff(ratings.user_indptr) + STD_PRIOR_WEIGHT
    )
    standard = StandardScores(bias, within, level, np.sqrt(variance), spread)
    values = standard_score_values(ratings, standard)
    similarity = pearson_baseline_similarity(ratings, values, neighbours=int(ALL))
    assert_close(fresh, encode_item_matrix("score_model_similarity", similarity.T, "compact")[0])
    m = gaussian_item_count(np.diff(ratings.item_indptr))
    scores = standard_score_matrix(ratings, standard, m, np.arange(ratings.n_users))
    gaussian = fit_gaussian_factor_model(scores, ratings.order[:m])
    assert_close(
        fresh,
        {
            "score_model_factor_position": gaussian.position,
            "score_model_item_factors": gaussian.factor.astype(np.float16),
            "score_model_noise_variance": gaussian.noise,
        },
    )


def test_biases_of_known_anime_stay_and_new_ones_get_theirs(folder: Path) -> None:
    fresh, old = open_artifact(folder / "fresh"), open_artifact(folder / "model")
    known = np.isin(fresh.arrays["anime_id"], old.arrays["anime_id"])
    assert 0 < (~known).sum() < len(known) / 2
    for name, reg_item, reg_user in (
        ("item_bias", 10.0, 15.0),
        ("score_model_item_bias", 5.0, 5.0),
    ):
        bias = fresh.arrays[name]
        np.testing.assert_array_equal(bias[known], old.arrays[name])
        # The new ones solve their equations, with the fans' own: least squares has ended.
        ratings = grouped(read_ratings([folder / "all"]))
        residual, _ = residuals(
            ratings, float(fresh.manifest.hyperparameters["global_mean"]), bias, reg_user
        )
        item = ratings.order[ratings.user_item]
        total = np.bincount(item, residual, len(bias))
        np.testing.assert_allclose((total - reg_item * bias)[~known], 0, atol=0.05)


def test_counts_and_affinity_are_those_of_a_full_training(folder: Path) -> None:
    run("--ratings", folder / "all", "--out", folder / "full")
    fresh, full = open_artifact(folder / "fresh"), open_artifact(folder / "full")
    same = ("anime_id", "rating_count", "entry_count", "item_relevance")
    names = [name for name in full.arrays if name.startswith(("affinity", "short_history"))]
    assert len(names) == 6
    assert_close(fresh, {name: full.arrays[name] for name in (*same, *names)})
    for name in ("fans", "anime", "entries", "ratings", "affinities"):
        assert fresh.manifest.counts[name] == full.manifest.counts[name]


def test_one_refresh_after_the_other_and_one_with_nothing_new(
    folder: Path, world: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    """Where all anime are known at once, two steps are one."""
    _, after = world
    shutil.copytree(folder / "all", tmp_path / "more")
    shifted = after.with_columns(pl.col("user_id") + 1000)
    add(tmp_path / "more", shifted.filter(pl.col("user_id") <= 1230))
    run("--ratings", tmp_path / "more", "--out", tmp_path / "one", "--since", folder / "fresh")
    add(tmp_path / "more", shifted.filter(pl.col("user_id") > 1230))
    run("--ratings", tmp_path / "more", "--out", tmp_path / "two", "--since", tmp_path / "one")
    run("--ratings", tmp_path / "more", "--out", tmp_path / "both", "--since", folder / "fresh")
    two, both = open_artifact(tmp_path / "two"), open_artifact(tmp_path / "both")
    assert_close(two, dict(both.arrays))
    run("--ratings", tmp_path / "more", "--out", tmp_path / "two", "--since", tmp_path / "two")
    assert_close(open_artifact(tmp_path / "two"), dict(two.arrays))


def test_old_ratings_are_not_read(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "all", tmp_path / "all")
    for partition in open_prepared_dataset(folder / "old").partitions:
        (tmp_path / "all" / partition.file).unlink()
    run("--ratings", tmp_path / "all", "--out", tmp_path / "m", "--since", folder / "model")
    fresh, found = open_artifact(folder / "fresh"), open_artifact(tmp_path / "m")
    assert all((found.arrays[name] == array).all() for name, array in fresh.arrays.items())


def test_what_does_not_go_together(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is one sentence, and leaves what stood there."""
    shutil.copytree(folder / "model", tmp_path / "m")
    shutil.copytree(folder / "model.sums", tmp_path / "m.sums")
    other = tmp_path / "other"
    write_prepared(other, random_frame(3, 60, 40, 0.3), 2)
    old, here = str(folder / "all"), ["--out", str(tmp_path / "m")]
    since = ["--since", str(tmp_path / "m")]

    def refused(*arguments: str) -> str:
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert main(["train", "--quiet", *here, *arguments]) == 2
        assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        return text

    text = refused("--ratings", str(other), *since)
    assert "3 of the 3 partitions that the sums were added from are not among these" in text
    text = refused("--ratings", old, *since, "--reg-item", "3")
    assert "--reg-item 3: the sums were added up with 10; leave it so, or train in full" in text
    text = refused("--ratings", old, *since, "--local-cluster", "2")
    assert "go with none of --scheduler" in text
    text = refused("--ratings", old, "--since", str(tmp_path / "none"))
    assert "none/manifest.json: not found" in text
    csv = tmp_path / "ratings.csv"
    csv.write_text("user_id,anime_id,rating\n1,1,5\n2,1,6\n")
    text = refused("--ratings", str(csv), "--keep-sums")
    assert "sums are kept of one folder that prepare wrote" in text

    index = tmp_path / "m.sums" / training.INDEX_FILE
    facts = json.loads(index.read_text())
    index.write_text(json.dumps(facts | {"format": 99}))
    assert "format: Input should be 2; train in full" in refused("--ratings", old, *since)
    index.write_text(json.dumps(facts | {"fixed": facts["fixed"] | {"mean": 1.0}}))
    assert "belongs to another model than" in refused("--ratings", old, *since)
    index.write_text(json.dumps(facts))
    block = tmp_path / "m.sums" / "standard-000001.npz"
    block.write_bytes(block.read_bytes()[:-1])
    assert f"{block}: is not what sums.json says" in refused("--ratings", old, *since)
    block.unlink()
    assert f"{block}: missing, but sums.json lists it" in refused("--ratings", old, *since)
    index.unlink()
    assert "so there are no sums to add to" in refused("--ratings", old, *since)


def test_a_draw_of_draws_is_the_draw_of_all() -> None:
    fans = np.arange(0, 3000, 3)
    drawn = sample_by_hash(fans, 100)
    parts = [sample_by_hash(part, 100) for part in np.split(fans, [10, 400, 555])]
    assert sample_by_hash(np.concatenate(parts), 100).tolist() == drawn.tolist()
    assert len(drawn) == 100
    assert 0.3 < (drawn < 1500).mean() < 0.7
    assert sample_by_hash(fans[:99], 100).tolist() == fans[:99].tolist()
