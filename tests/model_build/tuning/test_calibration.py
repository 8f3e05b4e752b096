from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.recommender import Model, RecommendOptions, SortOrder, UserList, recommend
from app.recommender.artifact import read_manifest
from app.recommender.recommend import score_items
from model_build.cli import main
from model_build.data.ratings import Ratings, read_ratings
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.serving_parameters import (
    DEFAULT_FILE,
    default_parameters,
    read_parameters,
    write_parameters,
)
from model_build.tuning.calibration import calibrate, fitted_parameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from tests.model_build.worlds import random_frame

SMALL = Hyperparameters(neighbours=20, taste_neighbours=20, taste_factors=4)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "ratings.parquet"
    random_frame(5, 120, 40, 0.5).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def ratings(file: Path) -> Ratings:
    return read_ratings([file])


@pytest.mark.parametrize(
    ("name", "planted"), [("score_affinity_weight", 1.7), ("score_offset", -0.6)]
)
def test_a_planted_value_is_recovered(ratings: Ratings, name: str, planted: float) -> None:
    """Hidden scores that a model with this value predicts exactly are predicted with it again."""
    benchmark = HoldoutBenchmark(ratings, n_users=30, seed=1)
    truth = default_parameters().model_copy(update={name: planted})
    model = benchmark.fit_part("taste", SMALL).with_parameters(truth)
    for at, user in enumerate(benchmark.users):
        scores = score_items(model, user.visible, RecommendOptions())
        hidden = scores.predicted_scores(model, model.find_positions(user.hidden_ids))
        benchmark.users[at] = replace(user, hidden_scores=np.asarray(hidden))
    found = calibrate(
        benchmark,
        default_parameters(),
        fitted_parameters([name]),
        hyperparameters=SMALL,
        rounds=1,
        steps=20,
        short_lengths=(),  # they say less than the lists that the scores were made from
    )
    assert getattr(found, name) == pytest.approx(planted, abs=0.02)
    others = {"match_curves", "provenance", name}
    assert found.model_dump(exclude=others) == default_parameters().model_dump(exclude=others)


def test_nothing_moves_where_nothing_is_gained(ratings: Ratings) -> None:
    benchmark = HoldoutBenchmark(ratings, n_users=20, seed=1)
    found = calibrate(
        benchmark,
        default_parameters(),
        fitted_parameters(["prior_decay_exponent"]),
        hyperparameters=SMALL,
        rounds=1,
        steps=3,
        split="twenty",
    )
    assert found.provenance.split == "twenty"
    assert found.provenance.dataset == benchmark.fingerprint


def test_parameters_reach_the_manifest_and_change_the_answer(file: Path, tmp_path: Path) -> None:
    chosen = default_parameters().model_copy(update={"score_offset": 0.5, "rare_item_lists": 1000})
    write_parameters(tmp_path / "chosen.json", chosen)
    command = f"train --ratings {file} --quiet --taste-factors 4 --out"
    assert main([*command.split(), str(tmp_path / "as-ever")]) == 0
    options = ["--parameters", str(tmp_path / "chosen.json")]
    assert main([*command.split(), str(tmp_path / "other"), *options]) == 0
    manifests = [read_manifest(tmp_path / name) for name in ("as-ever", "other")]
    assert [each.serving_parameters for each in manifests] == [default_parameters(), chosen]
    assert manifests[0].version.split("-")[1] != manifests[1].version.split("-")[1]
    before, after = (Model.open(tmp_path / name) for name in ("as-ever", "other"))
    listed = UserList.from_entries([(int(n), 7.0, 2) for n in before.anime_id[:5]])
    one, two = (
        score_items(model, listed, RecommendOptions(sort_order=SortOrder.MATCH))
        for model in (before, after)
    )
    raised = two.score_prediction.other_terms - one.score_prediction.other_terms
    np.testing.assert_allclose(raised, 0.5 - default_parameters().score_offset, atol=1e-9)
    assert all(item.rarely_listed for item in recommend(after, listed).recommendations)
    assert not all(item.rarely_listed for item in recommend(before, listed).recommendations)


def test_the_command_writes_what_train_reads(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "parameters.json"
    command = f"calibrate --ratings {file} --out {out} --fans 15 --compare-fans 20 --rounds 1"
    only = ["--steps", "3", "--only", "score_offset"]
    assert main([*command.split(), *only]) == 0
    assert "score_offset" in capsys.readouterr().out
    found = read_parameters(out)
    assert found.provenance.command == "python -m model_build calibrate"
    assert "without the 20 that compare draws with seed 0" in found.provenance.split


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "there is no such file"),
        ("no json", "expected parameters as calibrate writes them"),
        ("[]", "expected parameters as calibrate writes them"),
        ('{"knn_weight": 1}', "knn_weight_gain: Field required"),
        (("min_ratings", 2.5), "min_ratings: Input should be a valid integer"),
        (("knn_weight", 9), "knn_weight: Input should be less than or equal to 2"),
        (("sharpness", 1), "sharpness: Extra inputs are not permitted"),
    ],
)
def test_a_bad_file_gets_one_sentence(
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str | tuple[str, float] | None,
    fault: str,
) -> None:
    bad = tmp_path / "bad.json"
    if isinstance(text, tuple):
        text = json.dumps(json.loads(DEFAULT_FILE.read_text("utf-8")) | dict([text]))
    if text is not None:
        bad.write_text(text, "utf-8")
    command = f"train --ratings {file} --out {tmp_path / 'm'} --parameters {bad}"
    assert main(command.split()) == 2
    told = capsys.readouterr().err
    assert f"{bad}: " in told
    assert fault in told
    assert told.count("\n") == 1


def test_an_unknown_parameter_is_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"calibrate --ratings {file} --out {tmp_path / 'p.json'} --only rare_item_lists"
    assert main(command.split()) == 2
    assert "--only rare_item_lists: expected some of knn_weight" in capsys.readouterr().err


def test_fans_set_aside_and_a_folder_are_told_before_anything_is_fitted(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"calibrate --ratings {file} --fans 15 --out"
    assert main([*command.split(), str(tmp_path / "p.json")]) == 2
    assert "--compare-fans 1000: 1000 fans cannot be taken out of" in capsys.readouterr().err
    assert main([*command.split(), str(tmp_path)]) == 2
    assert f"{tmp_path}: is a directory; expected a file" in capsys.readouterr().err
