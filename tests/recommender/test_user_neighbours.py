"""Fans and anime that an engine's vectors say are alike, against plain loops."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from app.catalogue import Catalogue
from app.facets import Facet, ItemFacets
from app.recommender import Model, UserList, WatchStatus
from app.recommender.artifact import ArtifactError
from app.recommender.fold_in import fold_in
from app.recommender.parameters import ServingParameters
from app.recommender.training_users import LOVED_MIN_SCORE, MAX_LOVED_ITEMS
from app.recommender.trial import try_model
from app.recommender.user_neighbours import find_user_neighbours, preference_lift
from model_build.engines.base import FittedEngine, add_engine
from tests.tiny_model import tiny_ratings


@pytest.fixture(scope="module")
def model(crowded_model: Path) -> Model:
    return Model.open(crowded_model)


def list_of(fan: int) -> UserList:
    rows = tiny_ratings().filter(user_id=sorted(tiny_ratings()["user_id"].unique())[fan])
    return UserList.from_entries(
        [(row["anime_id"], row["rating"], row.get("status", 0)) for row in rows.to_dicts()]
    )


def test_a_fan_trained_on_is_the_nearest_to_the_same_list(model: Model) -> None:
    found = find_user_neighbours(model, "als", list_of(3))
    assert found.neighbours[0].similarity == pytest.approx(1, abs=1e-5)
    assert [fan.similarity for fan in found.neighbours] == sorted(
        (fan.similarity for fan in found.neighbours), reverse=True
    )


def test_what_the_nearest_loved_is_counted(model: Model) -> None:
    listed, crowd = list_of(3), model.training_users["als"]
    visitor = fold_in(model, listed)
    fan = model.engines["als"].user_embedding(visitor.known_entries)
    likeness = crowd.embeddings @ (fan / np.linalg.norm(fan))
    near = sorted(range(len(crowd)), key=lambda k: -likeness[k])[:7]
    assert all(likeness[k] > 0 for k in near)
    counted: dict[int, list[float]] = {}
    for k in near:
        for at in crowd.items_loved_by(k).tolist():
            counted.setdefault(at, []).append(float(likeness[k]))
    fresh = {at: told for at, told in counted.items() if at not in visitor.seen}
    found = find_user_neighbours(model, "als", listed, neighbour_count=7, count=1000)
    assert {each.position: each.supporters for each in found.favourites} == {
        at: len(told) for at, told in fresh.items()
    }
    for each in found.favourites:
        assert each.weight == pytest.approx(sum(fresh[each.position]), abs=1e-5)
    weights = [each.weight for each in found.favourites]
    assert weights == sorted(weights, reverse=True)
    own = set(visitor.rated[visitor.score >= LOVED_MIN_SCORE].tolist())
    for told, k in zip(found.neighbours, near, strict=True):
        assert set(told.common_loved) == own & set(crowd.items_loved_by(k).tolist())


def test_what_fans_loved_are_their_highest_scores(model: Model) -> None:
    crowd, ratings = model.training_users["als"], tiny_ratings()
    loved = ratings.filter(ratings["rating"] >= LOVED_MIN_SCORE).group_by("user_id").len()["len"]
    sizes = np.diff(crowd.indptr).tolist()
    assert sorted(sizes) == sorted(min(size, MAX_LOVED_ITEMS) for size in loved.to_list())
    assert np.linalg.norm(crowd.embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_filters_narrow_what_is_told(model: Model) -> None:
    allowed = np.zeros(len(model), bool)
    allowed[::2] = True
    found = find_user_neighbours(model, "als", list_of(3), allowed=allowed)
    assert found.favourites
    assert all(each.position % 2 == 0 for each in found.favourites)
    besides = [each.unseen_loved for each in found.neighbours]
    assert any(besides)
    assert all(position % 2 == 0 for positions in besides for position in positions)


def test_a_list_that_says_nothing_is_like_nobody(model: Model) -> None:
    found = find_user_neighbours(model, "als", UserList.from_entries([]))
    assert found.neighbours == found.favourites == ()


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"training_users_indptr": np.array([0, 2], np.int64)}, "offsets must ascend from 0"),
        ({"training_users_indptr": np.array([0, 0, 1], np.int64)}, "expected float32(2, 6)"),
        ({"training_users_indices": np.array([999_999], np.int32)}, "points past what there is"),
    ],
)
def test_a_crowd_that_does_not_fit_is_refused(
    model: Model, tmp_path: Path, arrays: dict[str, np.ndarray], fault: str
) -> None:
    numbers = {
        name.removeprefix("als_"): value
        for name, value in model.manifest.hyperparameters.items()
        if name.startswith("als_")
    }
    fitted = FittedEngine(
        {
            "item_factors": model.engines["als"].embedding,
            "training_users_embedding": np.ones((1, 6), np.float32),
            "training_users_indptr": np.array([0, 1], np.int64),
            "training_users_indices": np.array([0], np.int32),
            **arrays,
        },
        numbers,
    )
    with pytest.raises(ArtifactError) as refused:
        add_engine(model.catalogue_path.parent, "als", fitted, tmp_path / "broken")
    assert fault in str(refused.value)


def test_status_is_looked_at(model: Model) -> None:
    anime = [int(n) for n in model.anime_id[:6]]
    done = UserList.from_entries([(n, None, WatchStatus.COMPLETED) for n in anime])
    planned = UserList.from_entries([(n, None, WatchStatus.PLAN_TO_WATCH) for n in anime])
    one, other = (
        find_user_neighbours(model, "als", listed).neighbours[0].similarity
        for listed in (done, planned)
    )
    assert one != other


def words_of(model: Model) -> Facet:
    return ItemFacets(model, Catalogue.open(model.catalogue_path)).genre


def test_what_is_preferred_weighs_as_the_words_of_an_anime_do(model: Model) -> None:
    words, plain = words_of(model), find_user_neighbours(model, "als", list_of(3), count=1000)
    near, overall = plain.neighbour_share, plain.overall_share
    limit = model.parameters.preference_limit
    found = preference_lift(words, near, overall, model.parameters)
    for at in range(len(model)):
        own = [
            (near[words.positions(name)].sum() / near.sum() + 0.01)
            / (overall[words.positions(name)].sum() / overall.sum() + 0.01)
            for name in words.names
            if at in words.positions(name).tolist()
        ]
        expected = np.prod(own) ** (1 / len(own)) if own else 1.0
        assert found[at] == pytest.approx(np.clip(expected, 1 / limit, limit))


def test_what_is_preferred_ranks_and_filters(model: Model) -> None:
    words, plain = words_of(model), find_user_neighbours(model, "als", list_of(3), count=1000)
    lift = preference_lift(words, plain.neighbour_share, plain.overall_share, model.parameters)
    steered = find_user_neighbours(model, "als", list_of(3), count=1000, preferred=[words])
    expected = {
        each.position: each.weight * lift[each.position]
        for each in plain.favourites
        if lift[each.position] >= 1
    }
    assert 0 < len(expected) < len(plain.favourites)
    assert {each.position: each.weight for each in steered.favourites} == pytest.approx(expected)
    order = [each.position for each in steered.favourites]
    assert order == sorted(order, key=lambda at: (-expected[at], at))
    assert {each.preference for each in plain.favourites} == {1.0}


def test_a_centre_with_few_fans_is_refused(model: Model, tmp_path: Path) -> None:
    numbers = {
        name.removeprefix("als_"): value
        for name, value in model.manifest.hyperparameters.items()
        if name.startswith("als_")
    }
    for size, lovers in ((49, 5), (50, 4)):
        fitted = FittedEngine(
            {
                "item_factors": model.engines["als"].embedding,
                "user_centres_embedding": np.ones((1, 6), np.float32),
                "user_centres_size": np.array([size], np.int32),
                "user_centres_indptr": np.array([0, 1], np.int64),
                "user_centres_indices": np.array([0], np.int32),
                "user_centres_lovers": np.array([lovers], np.int32),
            },
            numbers,
        )
        with pytest.raises(ArtifactError, match="stands for at least 50 fans"):
            add_engine(model.catalogue_path.parent, "als", fitted, tmp_path / "broken")


def test_users_that_no_list_can_be_compared_with_are_found_when_a_model_is_tried(
    model: Model,
) -> None:
    try_model(model)
    users = model.training_users["als"]
    other = copy.copy(model)
    other.training_users = {"als": replace(users, embeddings=users.embeddings[:, :-1])}
    with pytest.raises(ArtifactError, match="opens, but cannot answer"):
        try_model(other)


def test_evidence_for_one_taste_must_have_room_between_its_ends(model: Model) -> None:
    known = model.parameters.model_dump()
    for ends in ((30.0, 30.0), (30.0, 20.0)):
        with pytest.raises(ValidationError, match="focused_evidence must be larger"):
            ServingParameters.model_validate(
                known | {"unfocused_evidence": ends[0], "focused_evidence": ends[1]}
            )
