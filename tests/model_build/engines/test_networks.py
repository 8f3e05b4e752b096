"""Training the engines from embeddings: PyTorch against numpy, repeated, and gone wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from app.recommender import EngineName, Model, RecommendOptions, UserList, recommend
from app.recommender.engines.cosine import RESIDUAL_RANGE
from app.recommender.engines.heads import sigmoid
from app.recommender.user_list import KnownEntries
from model_build.cli import main
from model_build.data.ratings import Ratings, index_ratings
from model_build.engines.cosine_embeddings import CosineEmbeddingNetwork
from model_build.engines.factor_networks import (
    FactorNetwork,
    MatrixFactorizationNetwork,
    MlpNetwork,
    UserWhitening,
    rows_with_target,
)
from model_build.engines.network_training import (
    LEARNING_RATE_SCHEDULES,
    NetworkSettings,
    learning_rate_share,
    pair_batches,
    to_numpy,
    train_network,
)
from model_build.engines.registry import NEURAL_ENGINES, engine_in_memory, network_trainer
from model_build.engines.training_pairs import TrainingPairs, build_training_pairs
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame
from tests.tiny_model import tiny_ratings

SMALL = NetworkSettings(size=8, batch=512, epochs=4, look_every=2, validation=10, dropout=0.2)
NOTHING = KnownEntries(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int8), np.empty(0, bool))


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return index_ratings(random_frame(3, 120, 40, 0.5))


@pytest.fixture(scope="module")
def pairs(ratings: Ratings) -> TrainingPairs:
    return build_training_pairs(ratings, n_validation=10, seed=0)


def taught(
    network: FactorNetwork, pairs: TrainingPairs, settings: NetworkSettings
) -> FactorNetwork:
    """The network after an epoch or two, whatever comes of it."""
    rows = rows_with_target(pairs, network.target_kind)
    batches = pair_batches(pairs, rows, settings.batch)
    found, _ = train_network(
        lambda: network, batches, len(rows), lambda _: 1.0, settings, name="test"
    )
    return found


@pytest.mark.parametrize("side", ["rating", "interaction", "both"])
def test_numpy_tells_what_pytorch_tells(pairs: TrainingPairs, side: str) -> None:
    kinds = [MlpNetwork] if side == "both" else [MatrixFactorizationNetwork, MlpNetwork]
    for kind in kinds:
        network = taught(kind(pairs, side, SMALL), pairs, SMALL)  # type: ignore[arg-type]
        fans = np.unique(pairs.user[rows_with_target(pairs, side)])  # type: ignore[arg-type]
        frozen = network.export(fans)
        vectors = to_numpy(network.user_embedding.weight)[fans]
        turned = UserWhitening.from_vectors(vectors).whitened(vectors)
        anime = torch.arange(len(pairs.is_trained_item))
        for fan, vector in list(zip(fans, turned, strict=True))[:10]:
            with torch.no_grad():
                scores, logits = network(torch.full_like(anime, int(fan)), anime)
            for name, tensor in (("rating", scores), ("interaction", logits)):
                if name not in frozen.heads:
                    assert tensor is None
                    continue
                level = (
                    frozen.user_bias_weight * pairs.user_bias[fan] if name == "interaction" else 0.0
                )
                told = frozen.heads[name].predict(vector, np.arange(len(anime))) + level
                assert told == pytest.approx(tensor.numpy(), abs=1e-5)
        assert turned.mean(axis=0) == pytest.approx(np.zeros(SMALL.size), abs=1e-8)
        assert np.cov(turned.T) == pytest.approx(np.eye(SMALL.size), abs=1e-3)


def test_numpy_tells_what_the_cosine_network_tells(pairs: TrainingPairs) -> None:
    network = CosineEmbeddingNetwork(len(pairs.user_bias), len(pairs.is_trained_item), SMALL)
    fans = np.unique(pairs.user[rows_with_target(pairs, "rating")])
    engine = network.eval().export_engine(pairs, fans, 1.0)
    anime = torch.arange(len(pairs.is_trained_item))
    for fan in fans[:10].tolist():
        vector = to_numpy(network.user_embedding.weight)[fan]
        near = engine.embedding @ (vector / np.linalg.norm(vector))
        with torch.no_grad():
            logits, _ = network(torch.full_like(anime, fan), anime)
        assert logits is not None
        known = pairs.is_trained_item
        told = engine.slope * near + engine.offset
        assert told[known] == pytest.approx(logits.numpy()[known], abs=1e-5)
    assert RESIDUAL_RANGE * (sigmoid(np.array([0.0]))[0] - 0.5) == 0


@pytest.mark.parametrize("name", NEURAL_ENGINES)
def test_training_twice_gives_the_same_and_learns(ratings: Ratings, name: str) -> None:
    settings = replace(SMALL, epochs=12, seed=5)
    ids = np.concatenate([ratings.anime_ids[3:], [2_000_000]]).astype(np.int32)
    one, other = (network_trainer(name)[0](ratings, ids, settings) for _ in range(2))
    assert one.arrays.keys() == other.arrays.keys()
    for key, array in one.arrays.items():
        assert np.array_equal(array, other.arrays[key]), key
    assert one.hyperparameters == other.hyperparameters
    engine = engine_in_memory(name, one, len(ids))
    held = build_training_pairs(ratings, n_validation=10, seed=5)
    # What the scores of validation fans spread by, once the baseline is taken off.
    off = []
    for fan in held.validation_users:
        level = held.baseline.user_residuals(fan.visible)[2]
        off.append(
            fan.hidden.score
            - held.baseline.global_mean
            - held.baseline.item_bias[fan.hidden.position]
            - level
        )
    assert float(one.hyperparameters["expected_error"]) < np.concatenate(off).std()
    judged = engine.score(NOTHING)
    assert not judged.known_items[-1]
    assert judged.known_items[:-1].all()


class Breaking(MatrixFactorizationNetwork):
    """Tells nothing but NaN after ``left`` batches."""

    left = 0

    def forward(self, fan: torch.Tensor, item: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        scores, logits = super().forward(fan, item)
        self.left -= self.training
        assert scores is not None
        return (scores if self.left >= 0 else scores * float("nan")), logits


def test_a_loss_that_is_not_finite_keeps_the_last_good_epoch(pairs: TrainingPairs) -> None:
    settings = replace(SMALL, epochs=8)
    rows = rows_with_target(pairs, "rating")
    network = Breaking(pairs, "rating", settings)
    network.left = 4 * -(-len(rows) // settings.batch) + 1
    losses = iter((2.0, 1.0))
    batches = pair_batches(pairs, rows, settings.batch)
    kept, outcome = train_network(
        lambda: network, batches, len(rows), lambda _: next(losses), settings, name="mf"
    )
    assert (outcome.best_epoch, outcome.validation_loss) == (4, 1.0)
    assert outcome.stop_reason == "the loss of epoch 5 is nan"
    assert torch.isfinite(kept.item_embedding.weight).all()


def test_nothing_to_keep_is_said(pairs: TrainingPairs) -> None:
    settings = replace(SMALL, rate=1e30)
    rows = rows_with_target(pairs, "rating")
    with pytest.raises(InputError, match=r"mf: the loss of epoch .* try a smaller learning rate"):
        train_network(
            lambda: MatrixFactorizationNetwork(pairs, "rating", settings),
            pair_batches(pairs, rows, settings.batch),
            len(rows),
            lambda _: 1.0,
            settings,
            name="mf",
        )


@pytest.mark.parametrize("schedule", LEARNING_RATE_SCHEDULES)
def test_a_schedule_stays_within_the_rate(schedule: str) -> None:
    shares = [learning_rate_share(schedule, at / 100) for at in range(101)]  # type: ignore[arg-type]
    assert 0 <= min(shares) <= max(shares) == 1
    assert schedule == "constant" or shares[-1] == pytest.approx(0)


def test_a_network_is_added_to_a_model_and_asked(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(ratings)
    path = tiny_model
    for name in NEURAL_ENGINES:
        added = ("engine", name, "--model", path, "--ratings", ratings, "--out", tmp_path / name)
        assert main([*map(str, added), "--epochs", "2", "--size", "4", "--device", "cpu"]) == 0
        path = tmp_path / name
    model = Model.open(path)
    assert set(model.engines) == set(NEURAL_ENGINES)
    assert model.manifest.hyperparameters["mlp_size"] == 4
    ids = model.anime_id.tolist()
    listed = UserList.from_entries(
        [(anime, 5.0 + place % 6, 2) for place, anime in enumerate(ids[:12])]
    )
    for name in NEURAL_ENGINES:
        answer = recommend(model, listed, RecommendOptions(top_n=5, engine=EngineName(name)))
        assert len(answer.recommendations) == 5
        for item in answer.recommendations:
            assert 1 <= item.predicted_score <= 10
            told = item.residual + sum(reason.weight for reason in item.contributions)
            assert told == pytest.approx(item.match)
    capsys.readouterr()
    asked = ("engine", "mf", "--model", path, "--ratings", ratings, "--out", tmp_path / "x")
    assert main([*map(str, asked), "--device", "cuda:97"]) == 2
    assert "--device cuda:97: PyTorch finds no such device" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_without_pytorch_one_sentence_says_what_to_do(tiny_model: Path, tmp_path: Path) -> None:
    ratings = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(ratings)
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
from model_build.cli import main
ratings = ["--ratings", {str(ratings)!r}]
compared = main(["compare", *ratings, "--fans", "20", "--models", "popularity", "engine-mf"])
added = main(["engine", "mf", "--model", {str(tiny_model)!r}, *ratings,
              "--out", {str(tmp_path / "out")!r}])
sys.exit(10 * compared + added)
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 22
    assert done.stdout == ""
    assert done.stderr == "".join(
        f"model_build {command}: mf is trained with PyTorch, which is not installed; "
        "run: pip install -r requirements-neural.txt\n"
        for command in ("compare", "engine")
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("split", ["fans", "pairs"])
def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], split: str) -> None:
    path = tmp_path / "ratings.parquet"
    random_frame(8, 60, 30, 0.5).write_parquet(path)
    asked = ["neural", "--ratings", str(path), "--fans", "15", "--split", split, "--epochs", "1"]
    models = ["mf", "svd", "knn-baseline", "match"]
    assert main([*asked, "--models", *models, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["base", *models]
    pairs = {row["told"]["pairs"] for row in rows[1:]}
    assert len(pairs) == 1
    assert rows[0]["told"]["recall"] == 1
    assert rows[0]["told"]["accuracy"] == rows[0]["told"]["precision"]
    for row in rows[1:]:
        assert row["told"]["rmse"] ** 2 == pytest.approx(row["told"]["loss"])
        assert (row["told"]["entropy"] is None) == (row["name"] != "mf")


def test_labels_are_of_fans_with_enough_of_them() -> None:
    frame = pl.DataFrame(
        {
            "user_id": [1] * 6 + [2] * 4 + [3] * 6 + [4] * 6,
            "anime_id": [*range(1, 7), *range(1, 5), *range(1, 7), *range(1, 7)],
            "rating": [9.0, 5, 8, 0, 7, 0] + [9.0, 9, 9, 9] + [8.0] * 6 + [7.0] * 6,
            "status": pl.Series([2, 2, 0, 4, 2, 6] + [2] * 4 + [2] * 6 + [2] * 6, dtype=pl.Int8),
        }
    )
    found = build_training_pairs(index_ratings(frame), n_validation=1, seed=0)
    mine = found.user == 0
    if not mine.any():  # the one left out to stop by
        pytest.fail("seed 0 draws the fan looked at; take another")
    assert found.label[mine].tolist() == [1, 0, 1, 0, 1]
    assert np.isnan(found.residual[mine]).tolist() == [False, False, False, True, False]
    assert np.isnan(found.label[found.user == 1]).all()
