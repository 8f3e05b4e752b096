"""Filters by taste: what goes on, what is unusual, what is like a title."""

from __future__ import annotations

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.services.library import Library
from app.web.services.taste_filters import like_mask, unusual_mask
from app.web.state import get_library
from tests.web.fans import IDS, SCORED


@pytest.fixture
def held(app: Flask) -> Library:
    with app.app_context():
        return get_library()


def recommended(client: FlaskClient, **options: object) -> list[dict[str, object]]:
    rows = [{"anime_id": n, "score": 8, "status": "completed"} for n in SCORED]
    answer = client.post("/api/v1/recommendations", json={"list": rows, "top": 100, **options})
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    found: list[dict[str, object]] = answer.json["recommendations"]
    return found


def test_what_is_unusual_has_none_of_the_usual_genres(held: Library) -> None:
    seen = held.model.find_positions(np.array(SCORED, np.int64))
    names, mask = unusual_mask(held.attributes, seen)
    assert mask.any()
    catalogue = held.catalogue
    counts: dict[str, int] = {}
    for anime_id in SCORED:
        for genre in catalogue.get_anime(anime_id).genres:
            counts[genre] = counts.get(genre, 0) + 1
    for genre, count in counts.items():
        assert genre in names or count <= min(counts[name] for name in names)
    for position, anime_id in enumerate(held.model.anime_id.tolist()):
        genres = set(catalogue.get_anime(anime_id).genres)
        assert mask[position] == (bool(genres) and not genres & set(names))


def test_what_is_like_a_title_are_those_for_which_it_speaks_most(
    held: Library, client: FlaskClient
) -> None:
    anime_id = SCORED[0]
    mask = like_mask(held, anime_id)
    position = int(held.model.find_positions(np.array([anime_id], np.int64))[0])
    matrix = held.model.affinity_matrix
    row = slice(matrix.indptr[position], matrix.indptr[position + 1])
    weight = np.zeros(len(held.model))
    weight[matrix.indices[row]] = matrix.data[row]
    own = held.franchises.same_franchise_mask(np.array([position]))
    assert not (mask & own).any()
    assert weight[mask].min() > 0
    left = ~mask & ~own
    assert mask.sum() + own.sum() < 150 or weight[mask].min() >= weight[left].max()
    shown = held.model.find_positions(
        np.array([item["anime_id"] for item in recommended(client, like=anime_id)], np.int64)
    )
    assert len(shown)
    assert mask[shown].all()


def test_a_title_that_the_model_does_not_know_is_like_nothing(client: FlaskClient) -> None:
    unknown = max(IDS) + 1
    rows = [{"anime_id": n, "score": 8} for n in SCORED]
    answer = client.post("/api/v1/recommendations", json={"list": rows, "like": unknown}).json
    assert answer is not None
    assert answer["recommendations"] == []
    assert [each["options"] for each in answer["relax"]] == [["like"]]
    refused = client.get("/example?like=many")
    assert refused.status_code == 400
    assert "“like” should be the id of an anime" in refused.text
