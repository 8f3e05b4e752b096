"""Training the engines from embeddings: PyTorch against numpy, repeated, and gone wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pytest
import torch

from app.recommender import EngineName, Model, RecommendOptions, SortOrder, UserList, recommend
from app.recommender.engines.cosine import RESIDUAL_RANGE
from app.recommender.engines.heads import sigmoid
from app.recommender.recommend import score_items
from app.recommender.user_list import KnownEntries
from model_build.cli import main
from model_build.data.ratings import Ratings, index_ratings
from model_build.engines.config import HybridOptions, LearningRateSchedule
from model_build.engines.cosine_embeddings import CosineEmbeddingNetwork
from model_build.engines.factor_networks import (
    FactorNetwork,
    MatrixFactorizationNetwork,
    MlpNetwork,
    UserWhitening,
    training_rows,
)
from model_build.engines.network_training import (
    NetworkSettings,
    learning_rate_share,
    pair_batches,
    to_numpy,
    train_network,
)
from model_build.engines.registry import NEURAL_ENGINES, engine_in_memory, network_trainer
from model_build.engines.settings import AS_DESCRIBED, network_settings
from model_build.engines.training_pairs import TrainingPairs, build_training_pairs
from model_build.evaluate import comparison
from model_build.util.errors import InputError
from tests.model_build.worlds import ROOT, random_frame
from tests.storage_emulator import StorageEmulator
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
    rows = training_rows(pairs, network.target_kind)
    batches = pair_batches(pairs, rows, settings.batch)
    found, _ = train_network(
        lambda: network, batches, len(rows), lambda _: 1.0, settings, name="test"
    )
    return found


@pytest.mark.parametrize("described", [False, True])
@pytest.mark.parametrize("side", ["rating", "interaction", "both"])
def test_numpy_tells_what_pytorch_tells(pairs: TrainingPairs, side: str, described: bool) -> None:
    kinds = [MlpNetwork] if side == "both" else [MatrixFactorizationNetwork, MlpNetwork]
    settings = replace(SMALL, **AS_DESCRIBED) if described else SMALL
    level = pairs.baseline.global_mean + pairs.baseline.item_bias
    for kind in kinds:
        network = taught(kind(pairs, side, settings), pairs, settings)  # type: ignore[arg-type]
        fans = np.unique(pairs.user[training_rows(pairs, side)])  # type: ignore[arg-type]
        frozen = network.export(fans)
        vectors = network.user_vectors()[fans]
        n_biases = len(network.targets) if described else 0
        assert vectors.shape[1] == settings.size + n_biases
        assert np.all(vectors[:, settings.size :].std(axis=0) > 0)
        turned = UserWhitening.from_vectors(vectors).whitened(vectors)
        anime = torch.arange(len(pairs.is_trained_item))
        for fan, vector in list(zip(fans, turned, strict=True))[:10]:
            with torch.no_grad():
                scores, logits = network(torch.full_like(anime, int(fan)), anime)
            for name, tensor in (("rating", scores), ("interaction", logits)):
                if name not in frozen.heads:
                    assert tensor is None
                    continue
                told, wanted = (
                    frozen.heads[name].predict(vector, np.arange(len(anime))),
                    tensor.numpy(),
                )
                if name == "interaction":
                    told = told + frozen.user_bias_weight * pairs.user_bias[fan]
                else:
                    # Of scores that are served, from 1 up, a rectified output leaves all as it is.
                    told, wanted = (
                        np.maximum(residual + level + pairs.user_bias[fan], 1.0)
                        for residual in (told, wanted)
                    )
                assert told == pytest.approx(wanted, abs=1e-4)
        size = turned.shape[1]
        assert turned.mean(axis=0) == pytest.approx(np.zeros(size), abs=1e-8)
        assert np.cov(turned.T) == pytest.approx(np.eye(size), abs=3e-3)


def test_vectors_of_one_number_are_whitened() -> None:
    one = np.random.default_rng(0).normal(3, 2, (50, 1))
    assert UserWhitening.from_vectors(one).whitened(one).std(ddof=1) == pytest.approx(1, abs=1e-3)


def test_a_rectified_score_is_never_below_0(pairs: TrainingPairs) -> None:
    network = MatrixFactorizationNetwork(pairs, "rating", replace(SMALL, output="relu")).eval()
    with torch.no_grad():
        network.item_bias["rating"].fill_(-100.0)
        scores, _ = network(torch.tensor([0, 1]), torch.tensor([2, 3]))
    assert scores is not None
    level = pairs.baseline.global_mean + pairs.baseline.item_bias[[2, 3]] + pairs.user_bias[:2]
    assert scores.numpy() + level == pytest.approx([0, 0], abs=1e-6)


def test_options_and_recipes_become_settings() -> None:
    def chosen(name: str, **given: object) -> NetworkSettings:
        config = HybridOptions.model_validate(given)
        return network_settings(config, name, network_trainer(name)[1])

    assert chosen("hybrid") == network_trainer("hybrid")[1]
    described = chosen("hybrid", recipe="as-described")
    assert (described.dropout, described.output, described.user_bias) == (0.5, "relu", True)
    assert (described.initialiser, described.schedule) == ("uniform", "constant")
    # What is given goes before the recipe; what was not described stays as it is.
    assert chosen("mf", recipe="as-described", output="linear").output == "linear"
    # What only others have is not passed on.
    for_others = {"recipe": "as-described", "output": "relu", "user_bias": True, "weight_rating": 3}
    assert chosen("cosine", **for_others) == network_trainer("cosine")[1]
    assert chosen("cosine", initialiser="uniform").initialiser == "uniform"
    assert chosen("kernel", **for_others, initialiser="he") == network_trainer("kernel")[1]
    assert chosen("mf", weight_rating=3.0, weight_interaction=2.0) == network_trainer("mf")[1]
    assert chosen("hybrid", weight_interaction=2.0).weights == (1.0, 2.0)
    assert chosen("hybrid", weight_rating=0.5, weight_interaction=2.0).weights == (0.5, 2.0)


def test_numpy_tells_what_the_cosine_network_tells(pairs: TrainingPairs) -> None:
    network = CosineEmbeddingNetwork(len(pairs.user_bias), len(pairs.is_trained_item), SMALL)
    fans = np.unique(pairs.user[training_rows(pairs, "rating")])
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
    # What a loss weighs says nothing of the error in points.
    settings = replace(SMALL, epochs=12, seed=5, weights=(4.0, 5.0))
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
    rows = training_rows(pairs, "rating")
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
    rows = training_rows(pairs, "rating")
    with pytest.raises(InputError, match=r"mf: the loss of epoch .* try a smaller learning rate"):
        train_network(
            lambda: MatrixFactorizationNetwork(pairs, "rating", settings),
            pair_batches(pairs, rows, settings.batch),
            len(rows),
            lambda _: 1.0,
            settings,
            name="mf",
        )


@pytest.mark.parametrize("schedule", get_args(LearningRateSchedule))
def test_a_schedule_stays_within_the_rate(schedule: str) -> None:
    shares = [learning_rate_share(schedule, at / 100) for at in range(101)]  # type: ignore[arg-type]
    assert 0 <= min(shares) <= max(shares) == 1
    assert schedule == "constant" or shares[-1] == pytest.approx(0)


@pytest.fixture(scope="module")
def networked(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The tiny model with all networks, hardly trained."""
    folder = tmp_path_factory.mktemp("networks")
    ratings = folder / "ratings.parquet"
    tiny_ratings().write_parquet(ratings)
    path = tiny_model
    for name in NEURAL_ENGINES:
        added = ("engine", name, "--model", path, "--ratings", ratings, "--out", folder / name)
        assert main([*map(str, added), "--epochs", "2", "--size", "4", "--device", "cpu"]) == 0
        path = folder / name
    return Model.open(path)


def test_a_network_is_added_to_a_model_and_asked(
    networked: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, ratings = networked, tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(ratings)
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
    asked = (
        "engine",
        "mf",
        "--model",
        model.catalogue_path.parent,
        "--ratings",
        ratings,
        "--out",
        tmp_path / "x",
    )
    assert main([*map(str, asked), "--device", "cuda:97"]) == 2
    assert "--device cuda:97: PyTorch finds no such device" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_networks_are_published_and_fetched_with_the_model(
    networked: Model, emulator: StorageEmulator, tmp_path: Path
) -> None:
    folder, place = networked.catalogue_path.parent, "gs://bucket/networks"
    assert main(["publish", "--model", str(folder), "--to", place]) == 0
    assert main(["fetch", "--from", place, "--out", str(tmp_path / "model")]) == 0
    fetched = Model.open(tmp_path / "model")
    assert set(fetched.engines) == set(NEURAL_ENGINES)
    listed = UserList.from_entries([(n, 8.0, 2) for n in fetched.anime_id[:12].tolist()])
    for name in NEURAL_ENGINES:
        options = RecommendOptions(top_n=5, engine=EngineName(name))
        before, after = (recommend(each, listed, options) for each in (networked, fetched))
        assert before.recommendations == after.recommendations


def test_without_pytorch_one_sentence_says_what_to_do(tiny_model: Path, tmp_path: Path) -> None:
    ratings = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(ratings)
    told = ["--ratings", str(ratings)]
    compared, added = (
        ["compare", *told, "--fans", "20", "--models", "popularity", "engine-mf"],
        ["engine", "mf", "--model", str(tiny_model), *told, "--out", str(tmp_path / "out")],
    )
    sentence = (
        "mf is trained with PyTorch, which is not installed; "
        "run: pip install -r requirements-neural.txt\n"
    )
    assert without(("torch",), compared, added) == [
        (2, "", f"model_build {command}: {sentence}") for command in ("compare", "engine")
    ]
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


ABSENT = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from model_build.cli import main
done = []
for words in {commands!r}:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as error:
        status = main(words)
    done.append([status, out.getvalue(), error.getvalue()])
print(json.dumps(done))
"""


def without(absent: tuple[str, ...], *commands: list[str]) -> list[tuple[int, str, str]]:
    """Run commands in a process for which these packages are not installed.

    Returns the status, the output and the errors of each.
    """
    done = subprocess.run(
        [sys.executable, "-c", ABSENT.format(absent=absent, commands=commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [(status, out, error) for status, out, error in json.loads(done.stdout)]


def test_what_is_not_installed_has_a_row_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ratings.parquet"
    random_frame(8, 60, 30, 0.5).write_parquet(path)
    asked = ["neural", "--ratings", str(path), "--fans", "15", "--models"]
    (status, out, error), nothing = without(
        ("torch", "surprise"), [*asked, "mf", "svd", "match"], [*asked, "svd"]
    )
    assert status == 0
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()]
    titles = [row[0] for row in rows[2:]]
    assert titles[1].startswith("matrix factorization: mf is trained with PyTorch, which is not in")
    assert titles[2].startswith("SVD (scikit-surprise): svd needs scikit-surprise, which is not in")
    assert [set(row[1:]) == {"-"} for row in rows[2:]] == [False, True, True, False]
    assert float(rows[-1][2]) > 0
    assert error.count("not measured: ") == 2
    # Nothing is left to measure: nothing is read, and the command has failed.
    assert nothing[:2] == (2, "")
    assert "requirements-dev.txt" in nothing[2]


def test_a_network_that_cannot_be_trained_costs_no_other_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ratings.parquet"
    random_frame(8, 60, 30, 0.5).write_parquet(path)
    asked = ["neural", "--ratings", str(path), "--fans", "15", "--device", "cuda:97"]
    assert main([*asked, "--models", "mf", "match", "--json"]) == 0
    base, broken, match = json.loads(capsys.readouterr().out)
    assert "PyTorch finds no such device" in broken["missing"]
    assert broken["told"] == {}
    assert base["missing"] is match["missing"] is None
    assert match["told"]["rmse"] > 0

    # Everything is being watched, and nothing is disliked.
    watched = random_frame(8, 60, 30, 0.5).with_columns(
        pl.col("rating").clip(6), status=pl.lit(1, pl.Int8)
    )
    watched.write_parquet(path)
    assert main([*asked[:-2], "--models", "mf", "svd", "--json"]) == 0
    base, broken, svd = json.loads(capsys.readouterr().out)
    assert broken["missing"].startswith("there are no likes to learn from: nobody has 5 anime that")
    assert svd["told"]["rmse"] > 0


def test_what_is_finished_is_printed_whatever_comes_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ratings.parquet"
    random_frame(8, 60, 30, 0.5).write_parquet(path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "_fit_surprise_svd", stop)
    asked = ["neural", "--ratings", str(path), "--fans", "15", "--epochs", "1"]
    assert main([*asked, "--models", "mf", "svd", "--json"]) != 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["base", "mf"]


@pytest.mark.parametrize("name", NEURAL_ENGINES)
def test_a_score_is_explained_by_what_pushes_it_up(
    networked: Model, name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ids = networked.anime_id.tolist()
    entries = [(anime, 4.0 if place % 3 else 9.0, 2) for place, anime in enumerate(ids[:15])]
    options = RecommendOptions(
        top_n=20, engine=EngineName(name), sort_order=SortOrder.SCORE, explanation_size=3
    )
    listed = UserList.from_entries(entries)
    answer = recommend(networked, listed, options)
    assert answer.explained_target == "predicted_score"
    scores = score_items(networked, listed, options)
    assert scores.engine_scores is not None
    assert scores.engine_scores.score_contributions is not None
    shown = 0
    for item in answer.recommendations:
        told = item.residual + sum(reason.weight for reason in item.contributions)
        assert told == pytest.approx(item.predicted_score)
        assert all(reason.score == 9 and reason.weight > 0 for reason in item.contributions)
        at = networked.find_positions(np.array([item.anime_id]))
        terms = scores.engine_scores.score_contributions(at)[0]
        of_entry = dict(
            zip(scores.profile.known_entries.position.tolist(), terms.tolist(), strict=True)
        )
        for reason in item.contributions:
            place = int(networked.find_positions(np.array([reason.anime_id]))[0])
            assert reason.weight == pytest.approx(of_entry[place])
        shown += len(item.contributions)
    assert shown
    mine = tmp_path / "list.csv"
    rows = "".join(f"{anime},{score:g},2\n" for anime, score, _ in entries)
    mine.write_text(f"anime_id,rating,status\n{rows}", "utf-8")
    capsys.readouterr()
    asked = [
        "recommend",
        "--model",
        str(networked.catalogue_path.parent),
        "--list",
        str(mine),
        "--engine",
        name,
    ]
    assert main([*asked, "--order", "score"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"because of .* 9 \(\+\d\.\d points\)", said)


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
