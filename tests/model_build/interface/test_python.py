"""Hakken from Python: every example of docs/python.md and of the notebook, and what is refused.

With polars and, where it is installed, with pandas: what the examples call both of them have.
"""

from __future__ import annotations

import json
import re
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from surprise import Dataset, Reader

from app.recommender import Model, RecommendOptions, UserList, WatchStatus, recommend
from app.settings import PROJECT_ROOT
from model_build.cli import main
from model_build.interface import Recommender, compare, compare_predictors, train, trials_table
from model_build.interface.dataframes import library_of, read_list, read_ratings_table
from model_build.util.errors import InputError
from tests.tiny_model import anime_ids, tiny_ratings

LIBRARIES = [name for name in ("polars", "pandas") if find_spec(name)]
DOCS = PROJECT_ROOT / "docs"
NOTEBOOK = DOCS / "from_ratings_to_recommendations.ipynb"


def frame(library: str, columns: dict[str, list[Any]]) -> Any:
    return import_module(library).DataFrame(columns)


def a_list(library: str, **more: list[Any]) -> Any:
    ids = anime_ids()[10:18]
    return frame(library, {"anime_id": ids, "score": [9, 8, 10, 7, 9, 6, 8, 9], **more})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the examples run: the project's folder as far as they look at it, and ratings."""
    tiny_ratings().write_parquet(tmp_path / "ratings.parquet")
    (tmp_path / "model_build").symlink_to(PROJECT_ROOT / "model_build")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(source: str, library: str) -> dict[str, Any]:
    """Run an example; its names afterwards. What is pandas in it may be polars."""
    names: dict[str, Any] = {"__name__": "example"}
    source = source.replace("import pandas as pd", f"import {library} as pd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of joblib's and Surprise's own
        exec(compile(source, "example", "exec"), names)
    return names


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_examples_of_the_page(
    library: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (DOCS / "python.md").read_text("utf-8"), re.M | re.S
    )
    names = run("\n".join(blocks), library)
    assert len(names["picks"]) == 10
    assert set(names["films"]["type"]) == {"Movie"}
    assert names["trained"].model.manifest.counts["fans"] == tiny_ratings()["user_id"].n_unique()
    assert {library_of(names[name]) for name in ("picks", "gems", "table", "scores")} == {library}
    assert (folder / "my-model" / "manifest.json").is_file()


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_notebook_runs_from_ratings_to_recommendations(library: str, folder: Path) -> None:
    book = json.loads(NOTEBOOK.read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    names = run("\n".join(cells), library)
    assert len(names["picks"]) == 20
    assert not set(names["seen"]["anime_id"]) & set(names["picks"]["anime_id"])
    assert names["hidden"]
    assert names["search"].best_score["rmse"] < 3
    assert not any(cell.get("outputs") for cell in book["cells"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_data_frame_is_answered_as_the_same_list_is(tiny_model: Path, library: str) -> None:
    statuses = [
        "completed",
        "Plan to Watch",
        "On-Hold",
        "dropped",
        None,
        "COMPLETED",
        "",
        "watching",
    ]
    picks = Recommender.open(tiny_model).recommend(
        a_list(library, status=statuses), adult=True, top=7
    )
    codes = [2, 6, 3, 4, 0, 2, 0, 1]
    entries = [
        (anime_id, float(score), WatchStatus(code))
        for anime_id, score, code in zip(
            anime_ids()[10:18], [9, 8, 10, 7, 9, 6, 8, 9], codes, strict=True
        )
    ]
    model = Model.open(tiny_model)
    expected = recommend(model, UserList.from_entries(entries), RecommendOptions(top_n=len(model)))
    by_id = {item.anime_id: item for item in expected.recommendations}
    assert library_of(picks) == library
    assert list(picks["rank"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(picks["match"]) == [by_id[anime_id].match for anime_id in picks["anime_id"]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_missing_scores_and_statuses_are_none(library: str) -> None:
    ids = anime_ids()[:3]
    found = read_list(frame(library, {"anime_id": ids, "score": [9.0, None, float("nan")]}))
    assert found.score.tolist() == [9.0, 0.0, 0.0]
    for scores in ([None, None, None], [None, "9", "0"]):
        found = read_list(frame(library, {"anime_id": ids, "score": scores}))
        assert found.score.tolist() == [0.0, float(scores[1] or 0), 0.0]
    coded = read_list(
        frame(library, {"anime_id": ids, "rating": [9, 0, -1], "status": [2.0, None, 6.0]})
    )
    assert coded.status.tolist() == [2, 0, 6]
    assert coded.score.tolist() == [9.0, 0.0, 0.0]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"anime_id": [5, 6]}, "column score is missing"),
        ({"anime_id": [5, 5], "score": [8, 9]}, "row 1: anime_id 5 stand there again, first in"),
        ({"anime_id": [5, 6], "score": [8, 11]}, "row 1, column score: 11.0 is out of range"),
        ({"anime_id": [5, 6], "rating": [8, 11]}, "row 1, column rating: 11.0 is out of range"),
        ({"anime_id": [5, 6], "score": ["8", "x"]}, "row 1, column score: 'x' where 1 to 10"),
        ({"anime_id": [5], "score": [[8]]}, "column score: holds List(Int64) where 1 to 10"),
        ({"anime_id": [5], "score": [8], "status": ["seen"]}, "row 0, column status: 'seen'"),
        ({"anime_id": [5], "score": [8], "rating": [8]}, "both score and rating"),
    ],
)
def test_what_is_no_list_is_refused(library: str, columns: dict[str, list[Any]], said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_list(frame(library, columns))
    assert said in str(refused.value)


def test_what_is_no_data_frame_or_no_argument_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    hakken = Recommender.open(tiny_model)
    with pytest.raises(InputError, match="DataFrame of pandas or polars, not list"):
        hakken.recommend([(5, 9)])
    if "pandas" in LIBRARIES:
        with pytest.raises(InputError, match=r"has anime_id as its index; .* by reset_index\(\)"):
            hakken.recommend(a_list("pandas").set_index("anime_id"))
    with pytest.raises(InputError, match="there are no ratings in it"):
        read_ratings_table(frame("polars", {"user_id": [], "anime_id": [], "score": []}))
    one = a_list("polars")
    for arguments, said in (
        ({"order": "best"}, "order='best': expected one of match, score, discover"),
        ({"engine": "als"}, "engine='als': this model has hakken"),
        ({"genres": ["drana"]}, "did you mean Drama?"),
        ({"top": 0}, "top: Input should be greater than or equal to 1."),
        ({"min_score": 11}, "min_score: Input should be less than or equal to 10."),
    ):
        with pytest.raises(InputError) as refused:
            hakken.recommend(one, **arguments)
        assert said in str(refused.value)
    with pytest.raises(InputError, match="by='als': this model has similarity, affinity"):
        hakken.similar(anime_ids()[0], by="als")
    with pytest.raises(InputError, match="top: Input should be a valid integer"):
        hakken.similar(anime_ids()[0], top=2.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="shrinkage: "):
        train(tiny_ratings(), tmp_path / "model", shrinkage="much")


def test_surprise_says_the_same_as_the_table(tmp_path: Path) -> None:
    scored = (
        tiny_ratings().filter(tiny_ratings()["rating"] > 0).select("user_id", "anime_id", "rating")
    )
    data = Dataset(Reader(rating_scale=(1, 10)))
    data.raw_ratings = [(user, item, rating, None) for user, item, rating in scored.rows()]
    order = ["user_id", "anime_id"]
    table = read_ratings_table(scored).sort(order)
    sources = [data, data.construct_trainset(data.raw_ratings)]
    if "pandas" in LIBRARIES:  # what Surprise reads DataFrames of
        of_pandas = frame("pandas", scored.to_dict(as_series=False))
        sources.append(Dataset.load_from_df(of_pandas, Reader(rating_scale=(1, 10))))
    for given in sources:
        assert read_ratings_table(given).sort(order).equals(table)


def test_a_model_of_a_table_is_the_one_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(file)
    assert main(["train", "--ratings", str(file), "--out", str(tmp_path / "by-file")]) == 0
    ours = train(tiny_ratings(), tmp_path / "by-frame").model
    theirs = Model.open(tmp_path / "by-file")
    assert ours.manifest.dataset.fingerprint == theirs.manifest.dataset.fingerprint
    assert ours.item_bias.tolist() == theirs.item_bias.tolist()


def test_tables_have_what_the_commands_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(file)
    capsys.readouterr()
    asked = ["compare", "--ratings", str(file), "--fans", "20", "--seed", "3", "--json"]
    assert main([*asked, "--models", "popularity", "knn-baseline"]) == 0
    printed = json.loads(capsys.readouterr().out)
    table = compare(tiny_ratings(), ["popularity", "knn-baseline"], fans=20, seed=3)
    assert table["name"].to_list() == [row["name"] for row in printed]
    assert table["ndcg@10"].to_list() == [row["measured"]["ndcg@10"] for row in printed]
    with pytest.raises(InputError, match="expected what tune --folds wrote"):
        trials_table(file)
    for of, arguments, said in (
        (compare, {"models": ["popularty"]}, "models.0: Input should be 'popularity', "),
        (compare, {"models": "engine-als"}, "models: Input should be a valid tuple"),
        (compare, {"fans": 0}, "fans: Input should be greater than or equal to 1"),
        (compare_predictors, {"models": ["als"]}, "models.0: Input should be 'mf', "),
        (compare_predictors, {"split": "user"}, "split: Input should be 'fans' or 'pairs'"),
    ):
        with pytest.raises(InputError, match=said):
            of(tiny_ratings(), **arguments)
