"""The taste at a glance, against counts made by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.recommender import UserList, WatchStatus
from app.recommender.fold_in import fold_in
from app.web.presenters.taste_summary import PLOT_HEIGHT, TasteSummary, summarize_taste
from app.web.services.library import Library
from app.web.state import AppState
from tests.tiny_model import tiny_catalogue
from tests.web.fans import IDS, SCORED
from tests.web.html_page import read_html
from tests.web.test_pages import page
from tests.web.test_upload import regular_export, send

FACTS = {row["anime_id"]: row for row in tiny_catalogue().to_dicts()}


@pytest.fixture
def held(app: Flask) -> Library:
    hakken: AppState = app.extensions["hakken"]
    assert hakken.library is not None
    return hakken.library


def taste(held: Library, scores: dict[int, float | None]) -> TasteSummary | None:
    rows = [(n, score, int(WatchStatus.COMPLETED)) for n, score in scores.items()]
    return summarize_taste(
        held.model, held.attributes, fold_in(held.model, UserList.from_entries(rows))
    )


def test_scores_are_counted(held: Library) -> None:
    found = taste(held, dict(zip(IDS, [10, 10, 10, 9.5, 7, 1], strict=False)))
    assert found is not None
    assert [bar.count for bar in found.score_bars] == [1, 0, 0, 0, 0, 0, 1, 0, 0, 4]
    assert [bar.height for bar in found.score_bars] == [11, 0, 0, 0, 0, 0, 11, 0, 0, PLOT_HEIGHT]
    assert found.mean_score == "7.9"


def test_strictness_is_against_the_same_titles(held: Library) -> None:
    expected = held.model.global_mean + held.model.item_bias
    for shift, told in ((0.0, "about as others do"), (1.0, "1.0 higher"), (-0.5, "0.5 lower")):
        scores = {n: float(expected[at] + shift) for at, n in enumerate(IDS[:12])}
        found = taste(held, dict(scores))
        assert found is not None
        assert told in found.strictness_text


def test_a_leaning_is_more_than_others_have(held: Library) -> None:
    romances = [n for n in IDS if "Romance" in (FACTS[n]["genres"] or "")]
    others = [n for n in IDS if n not in romances][:4]
    seen = romances[:8] + others
    found = taste(held, dict.fromkeys(seen))
    assert found is not None
    assert found.score_bars == ()
    told = {each.name: (each.share, each.average_share) for each in found.genres}
    counts = held.model.entry_count.astype(float)
    mine = np.isin(held.model.anime_id, romances)
    assert told["Romance"] == (67, round(100 * counts[mine].sum() / counts.sum()))
    assert "Drama" not in told
    decade = next(each for each in found.decades)
    years = [FACTS[n]["year"] // 10 * 10 for n in seen if FACTS[n]["year"]]
    assert decade.share == round(100 * years.count(int(decade.name[:4])) / len(seen))


def test_a_short_list_shows_no_taste(held: Library) -> None:
    assert taste(held, dict.fromkeys(IDS[:9])) is None
    assert taste(held, dict.fromkeys(IDS[:4], 8.0)) is None
    assert taste(held, {}) is None


def test_the_header_shows_it(client: FlaskClient) -> None:
    results = page(client, "/user/anilist/Regular")
    section = results.one("details", class_="taste")
    plot = section.one("svg")
    assert plot.attributes["aria-label"].endswith(": 3 × 10, 3 × 9, 2 × 8, 2 × 7, 2 × 6")
    assert len(plot.all("rect")) == 5
    assert re.search(r"You score the same titles .* others do\.", section.text)
    marked = page(client, f"/user/anilist/Regular?seen={SCORED[0]}:1").one("svg")
    assert len(marked.all("rect")) == 6
    uploaded = read_html(send(client, regular_export()).text)
    assert uploaded.one("svg").attributes["aria-label"] == plot.attributes["aria-label"]
    assert not page(client, "/user/anilist/FewScores").all("svg")
