"""The report: numbers that are measured, and one page that needs nothing else."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from app.catalogue import Catalogue, read_franchises
from app.facets import adult_mask
from app.recommender import Model, SortOrder, UserList
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from app.recommender.recommend import RecommendOptions, recommend
from model_build.cli import main
from model_build.data.ratings import read_ratings
from model_build.evaluate.evaluation import evaluate
from model_build.evaluate.ranking import model_ranker
from model_build.reporting.charts import PLACEHOLDER_COLOURS, Chart, chart_svg
from model_build.reporting.page import SimilarAnime, read_comparison, report_page, similar_anime
from model_build.reporting.report_charts import report_charts
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.serving_parameters import default_parameters, write_parameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from model_build.util.errors import InputError
from tests.model_build.worlds import dense_similarity, random_frame, train_model
from tests.tiny_model import HOSTILE_TITLE, write_tiny_model

COMPARED = [
    {
        "name": "popularity",
        "title": "Popularity",
        "train_seconds": 0.0,
        "measured": {"ndcg@10": 0.147, "coverage": 69, "rmse": None, "ci": {"rmse": [1, 2]}},
    },
    {
        "name": "hakken",
        "title": "Hakken <match>",
        "train_seconds": 51.5,
        "measured": {"ndcg@10": 0.54, "coverage": 1520, "rmse": 1.1299, "calibration": []},
    },
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_tiny_model(folder)
    (folder / "compared.json").write_text(json.dumps(COMPARED))
    return folder


def command(tiny: Path, out: Path, *options: object) -> list[str]:
    files = ["--ratings", tiny / "r.parquet", "--model", tiny / "model", "--out", out]
    return ["report", *map(str, files), "--fans", "40", *map(str, options)]


class Reader(HTMLParser):
    """What a page asks for from elsewhere, its ids, and its cells and headings."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_one_page_that_needs_nothing_else(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    table = ["--catalogue", tiny / "c.parquet", "--compare", tiny / "compared.json"]
    assert main(command(tiny, out, *table)) == 0
    text = out.read_text("utf-8")
    reader = read(text)
    assert all(link.startswith("#") for link in reader.links)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert len(reader.ids) == len(set(reader.ids))
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(reader.ids)
    assert "script" not in reader.tags
    assert reader.tags.count("svg") == 6
    assert "prefers-color-scheme: dark" in text
    for heading in (
        "The model",
        "Error by k",
        "Error by shrinkage",
        "Ranking by order",
        "Calibration",
        "Coverage against popularity",
        "Error by list length",
        "Most similar anime",
        "Beside other models",
    ):
        assert heading in reader.text
    manifest = Model.open(tiny / "model").manifest
    assert f"Model {manifest.version}" in reader.text
    for count in manifest.counts.values():
        assert f"{count:,}" in reader.text
    for cell in ("Popularity", "0.147", "0.54", "1,520", "1.13"):
        assert cell in reader.text
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    # Nothing in it depends on when or how often it is made, and no comparison is no table.
    again = tmp_path / "again.html"
    assert main(command(tiny, again, *table, "--threads", 1)) == 0
    assert again.read_text("utf-8") == text
    assert main(command(tiny, again)) == 0
    assert "Beside other models" not in again.read_text("utf-8")


def test_picks_are_shown_for_lists_in_every_order(tiny: Path, tmp_path: Path) -> None:
    """Of lists that the model knows; the lists that come with Hakken are of other anime."""
    model = Model.open(tiny / "model")
    catalogue = Catalogue.open(tiny / "model" / "catalogue.json.gz")
    liked, hated, strange = model.anime_id[[10, 12, 15]].tolist(), int(model.anime_id[20]), 999_999
    (tmp_path / "tastes.toml").write_text(
        f"[some_taste]\n9 = {liked}\n2 = [{hated}]\n[unknown]\n8 = [{strange}]\n"
    )
    out = tmp_path / "report.html"
    assert main(command(tiny, out, "--tastes", tmp_path / "tastes.toml")) == 0
    reader = read(out.read_text("utf-8"))
    assert "Picks for lists of clear taste" in reader.text
    assert "some taste" in reader.text
    assert "unknown" not in reader.text
    titles = [f"{catalogue.title(anime)} (9)" for anime in liked]
    assert ", ".join([*titles, f"{catalogue.title(hated)} (2)"]) in reader.text

    # The last tables of the page, three rows of heads and at most ten of picks each.
    user = UserList.from_entries([(n, 9.0, 2) for n in liked] + [(hated, 2.0, 2)])
    ids = model.anime_id.tolist()
    not_adult = ~adult_mask(catalogue, ids)
    assert not not_adult.all()
    cells = iter(reader.text[reader.text.index("some taste") :])
    for order in SortOrder:
        assert f"by {order}" in cells
        wish = RecommendOptions(
            top_n=10,
            sort_order=order,
            franchises=read_franchises(catalogue, ids),
            allowed_mask=not_adult,
        )
        found = recommend(model, user, wish).recommendations
        assert found
        for item in found:
            anime = catalogue.get_anime(item.anime_id)
            expected = [anime.title, str(anime.year or "–"), anime.type or "–"]
            assert expected[0] in cells
            assert [next(cells), next(cells)] == expected[1:]
            assert next(cells) == ("–" if anime.members is None else f"{anime.members:,}")
            assert item.match_percentile is not None
            assert next(cells) == f"{item.match_percentile:,.0f}"
            assert next(cells) == f"{item.expected_score:.1f}"
            if item.follows is not None:
                assert next(cells) == f"next after {catalogue.title(item.follows)}"
            elif item.contributions:
                assert next(cells) == catalogue.title(item.contributions[0].anime_id)
            else:
                assert next(cells) == "–"


@pytest.mark.parametrize(
    "text", ["x", "a = 3", "[a]\nb = [1]", "[a]\n11 = [1]", "[a]\n9 = 3", '[a]\n9 = ["x"]']
)
def test_a_file_without_lists_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "t.toml").write_text(text)
    assert main(command(tiny, tmp_path / "r.html", "--tastes", tmp_path / "t.toml")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "t.toml: " in line
    assert not (tmp_path / "r.html").exists()


def test_settings_and_parameters_are_those_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, file = random_frame(71, 40, 25, 0.5), tmp_path / "parameters.json"
    write_parameters(file, default_parameters().model_copy(update={"min_ratings": 7}))
    own = {"k": 9, "shrinkage": 17.5, "precision": "compact", "taste_factors": 8}
    model = train_model(frame, tmp_path, parameters=file, **own)
    expected = Hyperparameters(k=9, shrinkage=17.5, precision="compact", taste_factors=8)
    assert Hyperparameters.of_manifest(model.manifest.hyperparameters) == expected
    assert Hyperparameters.of_manifest(model.manifest.hyperparameters).model_dump() == {
        name: model.manifest.hyperparameters[name] for name in expected.model_dump()
    }
    told = []

    def charts(bench: HoldoutBenchmark, settings: Hyperparameters, **_: object) -> list[Chart]:
        told.append((settings, bench.fit_part("", settings).parameters))
        return []

    monkeypatch.setattr("model_build.reporting.job.report_charts", charts)
    files = ("--ratings", tmp_path / "ratings.parquet", "--model", tmp_path / "model")
    assert main(["report", *map(str, files), "--fans", "9", "--out", str(tmp_path / "r")]) == 0
    assert told == [(expected, model.parameters)]
    assert model.parameters.min_ratings == 7


@pytest.fixture(scope="module")
def measured() -> tuple[HoldoutBenchmark, Hyperparameters, dict[str, Chart], int]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "r.parquet"
        random_frame(72, 260, 60, 0.5).write_parquet(file)
        ratings = read_ratings([file])
    franchise = {anime: anime % 17 for anime in ratings.anime_ids.tolist()}
    bench = HoldoutBenchmark(ratings, n_users=100, seed=2, franchise=franchise)
    settings = Hyperparameters(k=6, shrinkage=45)
    steps = []
    found = report_charts(bench, settings, franchises=True, on_step=lambda: steps.append(1))
    return bench, settings, {chart.title: chart for chart in found}, len(steps)


def expected_error(bench: HoldoutBenchmark, settings: Hyperparameters, k: int) -> float:
    model = bench.fit_part("knn", settings)
    errors = []
    for fan in bench.users:
        score = np.clip(predict_knn(model, fold_in(model, fan.visible), k=k).score, 1, 10)
        position = model.find_positions(fan.hidden_ids)
        errors += (score[position] - fan.hidden_scores)[position >= 0].tolist()
    return math.sqrt(np.mean(np.square(errors)))


def test_errors_by_k_and_shrinkage(
    measured: tuple[HoldoutBenchmark, Hyperparameters, dict[str, Chart], int],
) -> None:
    bench, settings, found, _ = measured
    by_k, by_shrinkage = found["Error by k"], found["Error by shrinkage"]
    for chart, used in ((by_k, "6"), (by_shrinkage, "45")):
        assert chart.marked_index is not None
        assert chart.x[chart.marked_index] == used
        assert len(set(chart.series["KNN"])) > 4
    for k, error in zip(by_k.x, by_k.series["KNN"], strict=True):
        assert error == pytest.approx(expected_error(bench, settings, int(k)), abs=1e-9)
    for value, error in zip(by_shrinkage.x, by_shrinkage.series["KNN"], strict=True):
        with_value = settings.model_copy(update={"shrinkage": float(value)})
        assert error == pytest.approx(expected_error(bench, with_value, 6), abs=1e-9)


def test_rankings_are_those_of_evaluate(
    measured: tuple[HoldoutBenchmark, Hyperparameters, dict[str, Chart], int],
) -> None:
    bench, settings, found, steps = measured
    chart = found["Ranking by order"]
    assert list(chart.x) == ["ndcg@10", "recall@10", "new_ndcg@10"]
    groups = bench.training.anime_ids % 17
    for order, part in (
        (SortOrder.MATCH, "taste"),
        (SortOrder.SCORE, "knn"),
        (SortOrder.DISCOVER, "taste"),
    ):
        model = bench.fit_part(part, settings)
        expected = evaluate(model, groups, bench.users, ranker=model_ranker(model, order))
        alone = " by affinity alone" if part == "taste" else ""  # no second stage is fitted again
        assert chart.series[f"{order}{alone}"] == pytest.approx(
            [expected[name] for name in chart.x]
        )
    assert steps == 8  # what the progress bar counts to


def test_calibration_popularity_and_length(
    measured: tuple[HoldoutBenchmark, Hyperparameters, dict[str, Chart], int],
) -> None:
    bench, settings, found, _ = measured
    knn = bench.fit_part("knn", settings)
    pairs, shown = [], []
    for fan in bench.users:
        wish = RecommendOptions(sort_order=SortOrder.SCORE, top_n=10)
        shown += [item.anime_id for item in recommend(knn, fan.visible, wish).recommendations]
        score = np.clip(predict_knn(knn, fold_in(knn, fan.visible)).score, 1, 10)
        for anime, given in zip(fan.hidden_ids.tolist(), fan.hidden_scores.tolist(), strict=True):
            (at,) = knn.find_positions(np.array([anime]))
            if at >= 0:
                pairs.append((score[at], given))
    chart = found["Calibration"]
    compared = 0
    for at, x in enumerate(chart.x):
        given = [g for p, g in pairs if round(2 * p) == 2 * float(x)]
        value = chart.series["KNN (score)"][at]
        if len(given) < 20:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(np.mean(given))
            compared += 1
    assert compared > 2

    popularity = found["Coverage against popularity"]
    assert f"score {len(set(shown)):,}" in popularity.note
    count = np.bincount(bench.training.item)
    most = set(bench.training.anime_ids[np.argsort(-count, kind="stable")[:50]].tolist())
    share = 100 * np.mean([anime in most for anime in shown])
    assert popularity.series["score"][0] == pytest.approx(share)
    for values in popularity.series.values():
        assert sum(values) == pytest.approx(100)

    lengths = found["Error by list length"]
    assert lengths.x[0].startswith("5\n")
    long_enough = sum(len(fan.visible.anime_id) >= 20 for fan in bench.users)
    assert lengths.x[1] == f"20\n{long_enough} fans"
    assert len(lengths.x) == 2  # nobody has a hundred of sixty anime
    for name in ("sharpened, without correction", "KNN (score)"):
        assert lengths.series[name][1] < lengths.series[name][0]
    alone = bench.rank(model_ranker(knn, SortOrder.SCORE), bench.users)
    assert lengths.series["baselines alone"][1] > math.sqrt(
        np.mean((alone.predicted - alone.actual) ** 2)
    )


def test_the_most_similar_are_those_of_the_model(tmp_path: Path) -> None:
    frame = random_frame(73, 80, 30, 0.5)
    model = train_model(frame, tmp_path)
    ids = model.anime_id.tolist()
    most = ids[int(np.argmax(model.rating_count))]
    second = ids[int(np.argsort(-model.rating_count, kind="stable")[1])]
    names = Catalogue(
        {
            "anime_id": ids[:-1],
            "title": [f"T{anime}" for anime in ids[:-1]],
            "franchise_id": [1 if anime in (most, second) else None for anime in ids[:-1]],
        }
    )
    found = similar_anime(model, names)
    assert len(found) == 9
    assert found[0].title == names.title(most)
    assert names.title(second) not in [one.title for one in found]  # of the same franchise
    row = dense_similarity(model)[ids.index(most)]
    best = np.argsort(-row)[:5]
    assert [title for title, _ in found[0].similar_by_scores] == [names.title(ids[b]) for b in best]
    np.testing.assert_allclose([w for _, w in found[0].similar_by_scores], row[best])
    weights = [w for _, w in found[0].similar_by_affinity]
    assert weights == sorted(weights, reverse=True)
    assert len(weights) == 5


def test_titles_cannot_break_the_page(tiny: Path) -> None:
    manifest = Model.open(tiny / "model").manifest
    hostile = SimilarAnime(HOSTILE_TITLE, [(HOSTILE_TITLE, 0.5)], [])
    text = report_page(manifest, [], [hostile], {HOSTILE_TITLE: {"rmse": 1.0}}, n_users=3)
    reader = read(text)
    assert "script" not in reader.tags
    assert reader.text.count(HOSTILE_TITLE) == 3


def chart_of(**changes: object) -> Chart:
    chart = Chart("Some <title>", "a note", "x", "y", ["1", "2"], {"a & b": [1.0, 2.0]})
    return replace(chart, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "chart",
    [
        chart_of(),
        chart_of(bars=True),
        chart_of(numeric=True),
        chart_of(marked_index=1),
        chart_of(series={"a": [math.nan, 2.0], "b": [math.nan, math.nan]}),
        chart_of(series={"a": [math.nan, math.nan]}, bars=True),
        chart_of(x=[], series={"a": [], "b": []}),
        chart_of(x=[], series={"a": []}, numeric=True),
    ],
)
def test_a_chart_is_one_well_formed_element_in_the_pages_colours(chart: Chart) -> None:
    drawn = chart_svg(chart)
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert root.get("aria-label") == "Some <title>"
    assert root.get("width") is None
    assert root.get("viewBox")
    for stand_in in PLACEHOLDER_COLOURS:
        assert stand_in not in drawn
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", drawn)) <= {"#000000"}
    assert "var(--soft)" in drawn
    assert chart_svg(chart) == drawn


def test_a_comparison_is_read_as_it_was_printed(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(COMPARED))
    rows = read_comparison(tmp_path / "c.json")
    assert list(rows) == ["Popularity", "Hakken <match>"]
    assert rows["Hakken <match>"] == {
        "ndcg@10": 0.54,
        "coverage": 1520,
        "rmse": 1.1299,
        "train_seconds": 51.5,
    }
    assert math.isnan(rows["Popularity"]["rmse"])


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "3", "[3]", '{"a": 3}', '[{"name": "x"}]', "[" * 99_999]
)
def test_a_file_without_a_comparison_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError, match=r"c\.json: "):
        read_comparison(tmp_path / "c.json")


def test_the_best_of_each_measure_is_marked(tiny: Path, tmp_path: Path) -> None:
    manifest = Model.open(tiny / "model").manifest
    text = report_page(manifest, [], [], read_comparison(tiny / "compared.json"), n_users=3)
    best = re.findall(r'<td class="best">([^<]*)</td>', text)
    assert best == ["0", "0.54", "1,520", "1.13"]  # a row at a time: least time, then the rest


def test_what_cannot_be_reported_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.json").write_text("{}")
    for options, said in (
        (["--model", tmp_path], "manifest.json: not found"),
        (["--fans", "150"], "150 fans cannot be taken out"),
        (["--compare", tmp_path / "empty.json"], "empty.json: expected an array"),
        (["--compare", tmp_path / "none.json"], "none.json: there is no such file"),
        (["--catalogue", tmp_path / "none.csv"], "none.csv: there is no such file"),
        (["--out", tmp_path], "is a directory"),
    ):
        assert main(command(tiny, tmp_path / "new" / "r.html", *options)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("model_build report: ")
        assert said in line
    assert [path.name for path in tmp_path.iterdir()] == ["empty.json"]


def test_a_model_without_names_is_reported_by_numbers(tmp_path: Path) -> None:
    """No catalogue, few fans, few anime: every chart still has its place."""
    frame = random_frame(74, 30, 12, 0.6)
    train_model(frame, tmp_path)
    files = ["--ratings", tmp_path / "ratings.parquet", "--model", tmp_path / "model"]
    out = tmp_path / "r.html"
    assert main(["report", *map(str, files), "--out", str(out), "--fans", "4"]) == 0
    reader = read(out.read_text("utf-8"))
    assert reader.tags.count("svg") == 6
    assert any(re.fullmatch(r"Anime \d+", text) for text in reader.text)
    assert pl.read_parquet(tmp_path / "ratings.parquet").height == frame.height
