"""Fans alike by centres of clusters: nobody is in the model, and what it says is counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.recommender import Model
from app.recommender.training_users import CENTRE_COUNT, MIN_CENTRE_LOVERS, MIN_CENTRE_USERS
from model_build.cli import main
from model_build.engines.user_centres import user_centre_arrays
from model_build.util.errors import InputError
from tests.tiny_model import anime_ids, tiny_ratings


def users(sizes: list[int]) -> dict[str, np.ndarray]:
    """Fans near one of some directions, who love one anime of their own kind each, and others."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(len(sizes))[kind] + rng.normal(0, 0.05, (len(kind), len(sizes)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    loved = [np.array([at, 10 + number], np.int32) for number, at in enumerate(kind)]
    return {
        "training_users_embedding": vectors.astype(np.float32),
        "training_users_indptr": np.arange(0, 2 * len(kind) + 1, 2, dtype=np.int64),
        "training_users_indices": np.concatenate(loved),
    }


def test_a_cluster_is_told_by_what_many_of_it_love() -> None:
    found = user_centre_arrays(users([100, 100, 100]))
    assert found["user_centres_size"].tolist() == [100, 100, 100]
    assert np.diff(found["user_centres_indptr"]).tolist() == [1, 1, 1]  # no fan's own anime
    assert sorted(found["user_centres_indices"].tolist()) == [0, 1, 2]
    assert found["user_centres_lovers"].tolist() == [100, 100, 100]
    for centre, at in zip(
        found["user_centres_embedding"], found["user_centres_indices"].tolist(), strict=True
    ):
        assert centre[at] > 0.99


def test_small_clusters_are_dissolved() -> None:
    given = users([260, 130, 12])
    found = user_centre_arrays(given)
    assert found["user_centres_size"].min() >= MIN_CENTRE_USERS
    assert found["user_centres_size"].sum() == 402
    again = user_centre_arrays(given)
    assert all((found[name] == again[name]).all() for name in found)


def test_too_few_fans_are_no_centre() -> None:
    with pytest.raises(InputError, match="at least 50 fans who loved something, and there are 40"):
        user_centre_arrays(users([40]))


@pytest.fixture(scope="module")
def centred_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("centres")
    tiny_ratings().write_parquet(folder / "ratings.parquet")
    told = ("engine", "als", "--model", tiny_model, "--ratings", folder / "ratings.parquet")
    chosen = ("--out", folder / "model", "--factors", "6", "--iterations", "5", "--with-centres")
    assert main(list(map(str, (*told, *chosen)))) == 0
    return folder / "model"


def test_the_model_has_no_fan(centred_model: Path) -> None:
    assert not list(centred_model.glob("*training_users*"))
    centres = Model.open(centred_model).training_users["als"]
    assert centres.user_count.min() >= MIN_CENTRE_USERS
    assert centres.lovers.min() >= MIN_CENTRE_LOVERS
    assert MIN_CENTRE_USERS <= len(centres) <= tiny_ratings()["user_id"].n_unique()


def test_fans_alike_are_those_of_the_nearest_centres(
    centred_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("anime_id,rating\n" + "".join(f"{n},9\n" for n in anime_ids()[20:28]), "utf-8")
    asked = ["similar", "--model", str(centred_model), "--engine", "als", "--list", str(file)]
    capsys.readouterr()
    assert main([*asked, "--json", "--prefer", "genres", "sources"]) == 0
    answer = json.loads(capsys.readouterr().out)
    centres = Model.open(centred_model).training_users["als"]
    assert 1 <= len(answer["fans"]) <= CENTRE_COUNT
    assert answer["nearest"] == sum(each["users"] for each in answer["fans"]) <= len(centres)
    assert answer["recommendations"]
    for row in answer["recommendations"]:
        assert MIN_CENTRE_LOVERS <= row["lovers"] <= answer["nearest"]
        assert row["preference"] >= 1
    assert main([*asked, "--prefer", "genres"]) == 0
    assert "  x1." in capsys.readouterr().out


def test_fans_and_centres_exclude_each_other(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["engine", "als", "--model", str(tiny_model), "--out", str(tmp_path / "model")]
    with pytest.raises(SystemExit):
        main([*asked, "--with-fans", "--with-centres"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_preferring_goes_with_a_list(
    centred_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["similar", "--model", str(centred_model), "--engine", "als", "--anime", "5"]
    with pytest.raises(SystemExit):
        main([*asked, "--prefer", "genres"])
    assert "--prefer: goes with --list" in capsys.readouterr().err
