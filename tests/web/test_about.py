from __future__ import annotations

import hashlib
import json
import re
import shutil
import statistics
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.lists.entry import AnimeList, ListEntry
from app.recommender import Model, SortOrder, WatchStatus
from app.recommender.artifact import EVALUATION_FILE, ManifestEntry
from app.settings import BUNDLED_MODEL_DIR, AppSettings
from app.translation import current_language
from app.web.presenters.model_quality import METRIC_LABELS, load_model_quality
from app.web.services.library import Library
from app.web.services.worked_example import WorkedExample, build_worked_example
from app.web.state import AppState
from app.web.views import about
from model_build.cli import main
from tests.web.fans import SCORED
from tests.web.html_page import Element, read_html
from tests.web.test_pages import page

PLOT_SIZE = 240
LIST = AnimeList(
    "test",
    None,
    tuple(
        ListEntry(n, WatchStatus.COMPLETED, float(10 - place % 5)) for place, n in enumerate(SCORED)
    ),
)


@pytest.fixture
def held(app: Flask) -> Library:
    hakken: AppState = app.extensions["hakken"]
    assert hakken.library is not None
    return hakken.library


@pytest.fixture
def example(held: Library) -> WorkedExample:
    found = build_worked_example(held, LIST)
    assert found is not None
    return found


def answered(client: FlaskClient, order: SortOrder) -> dict[int, dict[str, object]]:
    rows = [{"anime_id": entry.anime_id, "score": entry.score} for entry in LIST.entries]
    body = client.post(
        "/api/v1/recommendations",
        json={"list": rows, "order": order, "top": 100, "new_series": True},
    ).json
    assert body is not None
    return {item["anime_id"]: item for item in body["recommendations"]}


def test_the_voices_add_up_to_the_best_match(
    held: Library, example: WorkedExample, client: FlaskClient
) -> None:
    items = answered(client, SortOrder.MATCH)
    best = max(items.values(), key=lambda item: float(str(item["match"])))
    assert example.anime_id == best["anime_id"]
    assert {voice.anime_id for voice in example.match_terms} <= set(SCORED)
    assert len(example.match_terms) + example.silent_count == len(SCORED)
    assert all(voice.contribution for voice in example.match_terms)
    for voice in example.match_terms:
        assert voice.contribution == pytest.approx(voice.input_weight * voice.weight)
        assert voice.score == 10 - SCORED.index(voice.anime_id) % 5
        assert voice.input_weight == pytest.approx(max(0.1, 1 + 0.3 * (voice.score - 7.5)))
    total = sum(voice.contribution for voice in example.match_terms) + example.prior_term
    assert total == pytest.approx(example.match)
    assert total == pytest.approx(best["match"], abs=1e-5)
    added = {voice.anime_id: voice for voice in example.match_terms}
    mean = int(statistics.mean(10 - at % 5 for at in range(len(SCORED))))
    for why in best["because"]:  # type: ignore[attr-defined]
        assert why["weight"] == pytest.approx(added[why["anime_id"]].contribution, abs=1e-5)
        assert why["score"] >= mean


def test_the_terms_add_up_to_the_predicted_score(
    held: Library, example: WorkedExample, client: FlaskClient
) -> None:
    values = list(example.score_terms.values())
    item = answered(client, SortOrder.MATCH)[example.anime_id]
    assert sum(values) == pytest.approx(item["predicted_score"], abs=1e-5)
    taste = held.model.score_model
    at = int(held.model.anime_id.searchsorted(example.anime_id))
    places = held.model.anime_id.searchsorted(SCORED)
    apart = sum(
        10 - n % 5 - held.model.global_mean - taste.item_bias[p] for n, p in enumerate(places)
    )
    wanted = [held.model.global_mean, taste.item_bias[at], apart / (taste.reg_user + len(SCORED))]
    assert values[:3] == pytest.approx(wanted)
    own = held.model.parameters
    wanted_pick = own.score_affinity_weight * example.match / 100 + own.score_offset
    assert values[5] == pytest.approx(wanted_pick)


def test_the_neighbours_add_up_to_the_classic_score(
    held: Library, example: WorkedExample, client: FlaskClient
) -> None:
    found = example.knn
    assert found is not None
    model = held.model
    at = int(model.anime_id.searchsorted(example.anime_id))
    places = model.anime_id.searchsorted(SCORED)
    apart = sum(10 - n % 5 - model.global_mean - model.item_bias[p] for n, p in enumerate(places))
    own = apart / (model.reg_user + len(SCORED))
    terms = list(found.baseline_terms.values())
    assert terms == pytest.approx([model.global_mean, own, model.item_bias[at]])
    assert found.baseline == pytest.approx(sum(terms))
    assert 0 < len(found.neighbours) <= model.neighbour_count
    towards = dict(
        zip(*(part.tolist() for part in model.similarity.column_entries(at)), strict=True)
    )
    for near in found.neighbours:
        place = int(model.anime_id.searchsorted(near.anime_id))
        assert near.similarity == pytest.approx(towards[place])
        assert near.baseline == pytest.approx(model.global_mean + own + model.item_bias[place])
        assert near.residual == pytest.approx(near.score - near.baseline)
        assert near.product == pytest.approx(near.similarity * near.residual)
    assert found.product_sum == pytest.approx(sum(near.product for near in found.neighbours))
    assert found.similarity_sum == pytest.approx(sum(near.similarity for near in found.neighbours))
    assert found.correction == pytest.approx(found.product_sum / found.similarity_sum)
    assert found.score == pytest.approx(found.baseline + found.correction)
    item = answered(client, SortOrder.SCORE)[example.anime_id]
    assert min(10.0, found.score) == pytest.approx(item["predicted_score"], abs=1e-5)


def test_a_list_of_strangers_gives_no_example(held: Library) -> None:
    assert (
        build_worked_example(
            held, AnimeList("test", None, (ListEntry(999_999, WatchStatus.COMPLETED, 9.0),))
        )
        is None
    )


def test_a_list_without_scores_has_voices_but_no_neighbours(held: Library) -> None:
    seen = tuple(ListEntry(n, WatchStatus.COMPLETED) for n in SCORED)
    found = build_worked_example(held, AnimeList("test", None, seen))
    assert found is not None
    assert found.knn is None
    assert {voice.score for voice in found.match_terms} == {None}
    assert sum(found.score_terms.values()) == pytest.approx(found.score)


def test_the_page_shows_the_numbers_as_they_are(
    client: FlaskClient, held: Library, monkeypatch: pytest.MonkeyPatch, example: WorkedExample
) -> None:
    monkeypatch.setattr(about, "EXAMPLE_LIST", LIST)
    text = page(client, "/about").text.replace("−", "-")
    for voice in example.match_terms:
        loudness = f"{voice.input_weight:.2f} × {voice.weight:.2f}"
        assert f"{voice.score:g} {loudness} {voice.contribution:+.2f}" in text
    for label, value in example.score_terms.items():
        assert f"{label} {value:+.2f}" in text
    assert example.knn is not None
    for near in example.knn.neighbours:
        assert f"= {near.residual:+.2f} {near.similarity:.3f} {near.product:+.3f}" in text
    assert f"= {example.knn.correction:+.2f}, so the classic score is" in text


def test_the_page_says_what_the_model_is(client: FlaskClient, held: Library) -> None:
    about = page(client, "/about")
    manifest = held.model.manifest
    assert manifest.version in about.text
    assert f"{manifest.counts['ratings']:,} scores" in about.text
    assert "Nothing was measured" in about.text
    assert "once more" not in about.text
    assert not about.all("figure")
    assert page(client, "/").one("footer").one("a", href="/about").text == "How it works"


MEASURED = {
    "rmse": 1.0784,
    "recall@10": 0.567,
    "coverage": 1199,
    "ndcg@10": None,
    "users": 1234,
    "pairs": 500,
    "other": 3.0,
    "ci": {"rmse": [1.05, 1.1], "recall@10": None, "coverage": [1100.0, 1300.0]},
    "calibration": [
        {"predicted": 1.0, "given": 10.0, "pairs": 100},
        {"predicted": 5.5, "given": 5.5, "pairs": 400},
        {"predicted": 9.0, "given": 2.0, "pairs": 3},
    ],
    "match_percentile": [
        {"lower": 0, "upper": 10, "candidates": 9000, "picked": 0.0, "loved": 0.0, "given": None},
        {"lower": 80, "upper": 90, "candidates": 200, "picked": 0.5, "loved": 0.25, "given": 8.5},
        {"lower": 90, "upper": 100, "candidates": 2, "picked": 1.0, "loved": 1.0, "given": 9.0},
    ],
    "by_length": {
        "20": {"users": 90, "rmse": 1.1, "ndcg@10": 0.5, "popularity_ndcg@10": 0.25},
        "5": {"users": 100, "rmse": None, "ndcg@10": 0.25, "popularity_ndcg@10": 0.125},
    },
}


@pytest.fixture(scope="module")
def measured_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, trained by the command with what was measured."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "metrics.json").write_text(json.dumps(MEASURED))
    command = (
        f"train --ratings {tiny_model.parent / 'r.parquet'} --out {folder / 'model'} --quiet "
        f"--metrics {folder / 'metrics.json'}"
    )
    assert main(command.split()) == 0
    return folder / "model"


def test_what_was_measured_is_told_with_its_interval(measured_model: Path) -> None:
    found = load_model_quality(Model.open(measured_model))
    assert found.user_count == 1234
    assert [(each.label, each.value, each.interval) for each in found.metrics] == [
        (METRIC_LABELS["rmse"][0], "1.078", "1.050 to 1.100"),
        (METRIC_LABELS["recall@10"][0], "57%", ""),
        (METRIC_LABELS["coverage"][0], "1,199", "1,100 to 1,300"),
    ]


def test_plots_stand_where_the_numbers_are(measured_model: Path, settings: AppSettings) -> None:
    app = create_app(settings.model_copy(update={"model": str(measured_model)}))
    lengths, scores, matches = read_html(app.test_client().get("/about").text).all("figure")
    # Areas beyond the smallest dot grow with the number of scores.
    assert drawn(scores, "circle", "ours", "cx", "cy", "r") == [
        (0.0, 0.0, 6.5),
        (PLOT_SIZE / 2, PLOT_SIZE / 2, 10.0),
    ]
    # Of two anime that matched nearly everything nothing can be said.
    assert drawn(matches, "rect", "ours", "x", "height") == [
        (2.0, 0.0),
        (PLOT_SIZE * 0.8 + 2, PLOT_SIZE / 2),
    ]
    assert drawn(matches, "rect", "theirs", "height") == [(0.0,), (PLOT_SIZE / 4,)]
    assert drawn(lengths, "rect", "ours", "height") == [(PLOT_SIZE / 4,), (PLOT_SIZE / 2,)]
    assert drawn(lengths, "rect", "theirs", "height") == [(PLOT_SIZE / 8,), (PLOT_SIZE / 4,)]


def drawn(figure: Element, tag: str, kind: str, *names: str) -> list[tuple[float, ...]]:
    shapes = figure.one("svg").all(tag, class_=kind)
    return [tuple(float(each.attributes[name]) for name in names) for each in shapes]


def test_every_number_of_a_plot_is_in_words_and_in_a_table(
    measured_model: Path, settings: AppSettings
) -> None:
    app = create_app(settings.model_copy(update={"model": str(measured_model)}))
    about = read_html(app.test_client().get("/about").text)
    lengths, scores, matches = about.all("figure")
    assert table(lengths) == [
        ["5", "100", "0.250", "0.125", "–"],
        ["20", "90", "0.500", "0.250", "1.100"],
    ]
    assert table(scores) == [["1.00", "10.00", "100"], ["5.50", "5.50", "400"]]
    assert table(matches) == [
        ["0 to 10 %", "9,000", "0.00 %", "0.00 %", "–"],
        ["80 to 90 %", "200", "50.00 %", "25.00 %", "8.50"],
    ]
    for figure, words in (
        (lengths, "20 titles 0.50, popularity 0.25"),
        (scores, "1.0 predicted"),
        (matches, "match of 80 to 90 percent, 50.0 percent on the list, 25.0 percent favourites."),
    ):
        plot = figure.one("svg")
        assert plot.attributes["role"] == "img"
        assert words in " ".join(plot.attributes["aria-label"].split())
    assert [bar.attributes["height"] for bar in lengths.all("rect", class_="ours")] == [
        "60.0",
        "120.0",
    ]
    assert "1.078 (1.050 to 1.100)" in about.text


def test_a_better_match_was_more_often_picked_and_loved() -> None:
    """Of the model that comes with Hakken, by fans that the measured one had not learned from."""
    bins = load_model_quality(Model.open(BUNDLED_MODEL_DIR)).match_bins
    assert [each.lower for each in bins] == list(range(0, 100, 10))
    for name in ("picked", "loved", "given"):
        shares = [getattr(each, name) for each in bins]
        assert shares == sorted(shares)
    assert bins[-1].loved > 0.5


def table(figure: Element) -> list[list[str]]:
    rows = figure.one("tbody").all("tr")
    return [[cell.text for cell in (*row.all("th"), *row.all("td"))] for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "null",
        '{"calibration": 3}',
        '{"ci": {"rmse": [1]}}',
        '{"by_length": {"five": {}}}',
        '{"by_length": {"5": {"users": 1, "ndcg@10": NaN, "popularity_ndcg@10": 0.1}}}',
        '{"calibration": [{"predicted": 1e999, "given": 1, "pairs": 100}]}',
        '{"match_percentile": []}',
        '{"match_percentile": [{"lower": 0, "upper": 10, "candidates": 50, "picked": 2}]}',
        "\x00",
    ],
)
def test_a_model_that_says_less_is_told_about_all_the_same(
    measured_model: Path, tmp_path: Path, settings: AppSettings, text: str | None
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(measured_model, folder)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    del manifest["digest"]  # which older models do not have
    if text is None:
        (folder / EVALUATION_FILE).unlink()
        del manifest["files"][EVALUATION_FILE]
    else:
        (folder / EVALUATION_FILE).write_text(text, "utf-8")
        manifest["files"][EVALUATION_FILE] = facts_of(folder / EVALUATION_FILE).model_dump(
            exclude_none=True
        )
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    app = create_app(settings.model_copy(update={"model": str(folder)}))
    response = app.test_client().get("/about")
    assert response.status_code == 200
    about = read_html(response.text)
    assert about.all("figure") == []
    assert re.search(r"RMSE\)\s+1\.078", about.text)


def facts_of(file: Path) -> ManifestEntry:
    data = file.read_bytes()
    return ManifestEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def test_the_example_is_told_in_native_titles_to_who_reads_japanese(held: Library) -> None:
    current_language.set("ja")
    worked = build_worked_example(held, LIST)
    assert worked
    assert worked.knn
    for each in (worked, *worked.match_terms, *worked.knn.neighbours):
        anime = held.catalogue.get_anime(each.anime_id)
        assert each.title == (anime.title_native or anime.title)
