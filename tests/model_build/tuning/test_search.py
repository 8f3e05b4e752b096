"""The search for settings: what it measures, that a kill loses nothing, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.recommender import Model
from app.recommender.artifact import FORMAT_VERSION, DatasetInfo, Manifest, ModelArtifact
from model_build.cli import main
from model_build.data.ratings import Ratings, read_ratings
from model_build.evaluate.evaluation import evaluate
from model_build.evaluate.ranking import model_ranker
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters, read_hyperparameters
from model_build.train.serving_parameters import default_parameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from model_build.tuning.search_spaces import SEARCH_SPACES
from tests.model_build.worlds import ROOT, random_frame, run_command

ENDLESS = """
import signal, sys
from model_build.cli import main
from model_build.tuning import search
run_trial, begun = search._run_trial, []
def run_seven(*given):
    begun.append(given)
    return signal.pause() if len(begun) > 7 else run_trial(*given)
search._run_trial = run_seven
main(sys.argv[1:])
"""
"""A search whose eighth trial does not end, so that it can be killed before it is done."""
SETTINGS = Hyperparameters(
    k=7, shrinkage=30, reg_user=4, affinity_ridge=40, affinity_popularity=0.3, taste_shrinkage=20
)
OTHER = Hyperparameters(k=30, shrinkage=300, affinity_dropout=2, taste_shrinkage=400)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tuning") / "ratings.parquet"
    random_frame(61, 120, 50, 0.5).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def ratings(file: Path) -> Ratings:
    return read_ratings([file])


def entries(ratings: Ratings, user: str) -> set[tuple[int, float]]:
    rows = np.flatnonzero(np.array(list(map(str, ratings.user_ids)))[ratings.user] == user)
    return {
        (int(anime), float(score))
        for anime, score in zip(
            ratings.anime_ids[ratings.item[rows]], ratings.rating[rows], strict=True
        )
    }


def test_the_fans_measured_on_are_not_in_training(ratings: Ratings) -> None:
    bench = HoldoutBenchmark(ratings, n_users=30, seed=3)
    assert len(bench.users) == 30
    left = set(map(str, bench.training.user_ids))
    held = set(map(str, ratings.user_ids)) - left
    assert len(left) + len(held) == 120
    assert len(held) >= 30
    whole = [frozenset(entries(ratings, user)) for user in held]
    for fan in bench.users:
        seen = zip(fan.visible.anime_id.tolist(), fan.visible.score.tolist(), strict=True)
        hidden = zip(fan.hidden_ids.tolist(), fan.hidden_scores.tolist(), strict=True)
        assert frozenset([*seen, *hidden]) in whole
    for user in left:
        assert entries(bench.training, user) == entries(ratings, user)


def whole_model(bench: HoldoutBenchmark, settings: Hyperparameters) -> Model:
    trained = train_model(bench.training, settings)
    manifest = Manifest(
        format=FORMAT_VERSION,
        version="whole",
        created="",
        dataset=DatasetInfo(name="", fingerprint=""),
        counts=trained.counts,
        hyperparameters=trained.hyperparameters,
        serving_parameters=default_parameters(),
        metrics={},
        files={},
    )
    return Model(ModelArtifact(Path("whole"), manifest, trained.arrays))


@pytest.mark.parametrize("part", list(SEARCH_SPACES))
def test_a_part_alone_measures_as_in_a_whole_model(ratings: Ratings, part: str) -> None:
    bench = HoldoutBenchmark(ratings, n_users=30, seed=3)
    space = SEARCH_SPACES[part]
    measured = []
    for settings in (SETTINGS, OTHER, SETTINGS):  # nothing stale is left by what is kept
        alone = bench.evaluate_model(bench.fit_part(part, settings), space.order, bench.users)
        whole = whole_model(bench, settings)
        nowhere = np.full(len(whole), -1)
        expected = evaluate(whole, nowhere, bench.users, ranker=model_ranker(whole, space.order))
        names = [name for name in space.objectives if name in expected]
        assert names
        for name in names:
            assert alone[name] == pytest.approx(expected[name], abs=1e-12), name
        measured.append(alone[space.default_objective])
    assert measured[0] == measured[2] != measured[1]


def test_affinity_of_the_most_listed_anime_alone(ratings: Ratings) -> None:
    few = HoldoutBenchmark(ratings, n_users=30, seed=3, affinity_anime=20)
    count = np.bincount(few.training.item)
    model = few.fit_part("affinity", SETTINGS)
    assert len(np.unique(model.affinity_matrix.indices)) == 20
    assert count[np.unique(model.affinity_matrix.indices)].min() >= np.sort(count)[-20]


def test_new_franchises_are_measured_by_the_mapping(ratings: Ratings) -> None:
    franchise = {anime: anime % 9 for anime in ratings.anime_ids.tolist()}
    bench = HoldoutBenchmark(ratings, n_users=30, seed=3, franchise=franchise)
    model = bench.fit_part("affinity", SETTINGS)
    groups = np.array([franchise[anime] for anime in bench.training.anime_ids.tolist()])
    for fans in (bench.users, bench.users[:9]):
        expected = evaluate(model, groups, fans)["new_ndcg@10"]
        assert (
            bench.evaluate_model(model, SEARCH_SPACES["affinity"].order, fans)["new_ndcg@10"]
            == expected
        )


def command(file: Path, out: Path, *options: object) -> list[str]:
    return ["tune", "--ratings", str(file), "--out", str(out), *map(str, options)]


def without_times(lines: str) -> list[str]:
    """The lines of trials."""
    trials = [line for line in lines.splitlines() if re.match(r"\w+ \d+/\d+: ", line)]
    return [re.sub(r"  \[.*", "", line) for line in trials]


def test_the_best_trial_is_written_and_train_reads_it(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "best.json"
    assert main(command(file, out, "--parts", "knn", "--trials", 13, "--fans", 40)) == 0
    printed = capsys.readouterr().out
    values = [float(v) for v in re.findall(r"^knn \d+/13: rmse ([\d.]+)", printed, re.M)]
    assert len(values) == 13
    assert min(values) < values[0]  # the defaults come first
    settings = read_hyperparameters(out)
    assert set(settings) == set(SEARCH_SPACES["knn"].ranges)
    # What was found measures as it was said to.
    bench = HoldoutBenchmark(read_ratings([file]), n_users=40, seed=0)
    model = bench.fit_part("knn", Hyperparameters(**settings))
    found = bench.evaluate_model(model, SEARCH_SPACES["knn"].order, bench.users)["rmse"]
    assert f"{found:.5g}" == f"{min(values):.5g}"
    train_command = ["train", "--ratings", str(file), "--settings", str(out), "--quiet"]
    assert main([*train_command, "--out", str(tmp_path / "model")]) == 0
    used = Model.open(tmp_path / "model").manifest.hyperparameters
    assert {name: used[name] for name in settings} == settings


def test_a_killed_search_goes_on_as_if_nothing_had_happened(file: Path, tmp_path: Path) -> None:
    options = ["--parts", "knn", "--trials", 14, "--fans", 40, "--seed", 5]
    straight = run_command(*command(file, tmp_path / "straight.json", *options))
    assert (straight.returncode, straight.stderr) == (0, "")
    out = tmp_path / "killed.json"
    running = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *command(file, out, *options)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    told = [running.stdout.readline() for _ in range(4)]
    running.send_signal(signal.SIGKILL)
    told += running.stdout.readlines()  # what it still managed to do
    running.stdout.close()
    assert running.wait() == -signal.SIGKILL
    done = without_times("".join(told))
    assert 4 <= len(done) < 8
    rest = run_command(*command(file, out, *options))
    assert (rest.returncode, rest.stderr) == (0, "")
    # The trial that was told last may be on disk although its line was not seen.
    resumed = without_times(rest.stdout)
    expected = without_times(straight.stdout)
    assert 14 - len(done) - 1 <= len(resumed) <= 14 - len(done)
    assert done == expected[: len(done)]
    assert resumed == expected[14 - len(resumed) :]
    assert json.loads(out.read_text()) == json.loads((tmp_path / "straight.json").read_text())


def test_what_was_running_when_it_was_killed_is_done_again(file: Path, tmp_path: Path) -> None:
    """The file as a kill in the middle of a trial leaves it: one trial for ever running."""
    out, straight = tmp_path / "a.json", tmp_path / "b.json"
    options = ["--parts", "affinity", "--fans", 40]
    assert main(command(file, out, *options, "--trials", 5)) == 0
    study = tmp_path / "a.json.study"
    database = sqlite3.connect(study)
    database.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 4")
    database.execute(
        "DELETE FROM trial_values WHERE trial_id IN (SELECT trial_id FROM trials WHERE number = 4)"
    )
    database.commit()
    database.close()
    assert main(command(file, out, *options, "--trials", 12)) == 0
    assert main(command(file, straight, *options, "--trials", 12)) == 0
    assert read_hyperparameters(out) == read_hyperparameters(straight)


def test_a_finished_search_writes_its_best_again_and_more_trials_go_on(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "best.json"
    options = ["--parts", "taste", "--fans", 30, "--study", tmp_path / "kept"]
    assert main(command(file, out, *options, "--trials", 3)) == 0
    first = out.read_text()
    out.unlink()
    assert main(command(file, out, *options, "--trials", 3)) == 0
    assert out.read_text() == first
    capsys.readouterr()
    assert main(command(file, out, *options, "--trials", 5)) == 0
    assert len(without_times(capsys.readouterr().out)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.json", "kept"]


def test_bad_trials_are_given_up_after_a_first_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "r.parquet", tmp_path / "best.json"
    random_frame(62, 260, 40, 0.5).write_parquet(path)
    assert main(command(path, out, "--parts", "knn", "--fans", 120, "--trials", 16)) == 0
    lines = without_times(capsys.readouterr().out)
    given_up = [line for line in lines if "given up early" in line]
    assert 1 <= len(given_up) < 11
    # None of the first five is, whatever it measures.
    assert all("given up" not in line for line in lines[:5])


def test_all_parts_and_some_settings(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "best.json"
    some = ["--only", "k", "shrinkage", "affinity_ridge"]
    assert main(command(file, out, "--trials", 2, "--fans", 30, *some)) == 0
    assert set(read_hyperparameters(out)) == {"k", "shrinkage", "affinity_ridge"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "beauty"], "--objective beauty: expected one of rmse,"),
        (["--objective", "rmse", "--parts", "affinity"], "affinity does not decide it"),
        (["--objective", "ndcg@10", "--parts", "taste"], "taste does not decide it"),
        (["--objective", "new_ndcg@10", "--parts", "affinity"], "--catalogue"),
        (["--only", "depth"], "--only depth: not a setting"),
        (["--parts", "knn", "--only", "k", "taste_shrinkage"], "--only taste_shrinkage"),
        (["--fans", "5000"], "5000 fans cannot be taken out"),
        (["--catalogue", "nowhere.csv"], "nowhere.csv: there is no such file"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(command(file, tmp_path / "new" / "best.json", *options)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("model_build tune: ")
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_something_else_is_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, study = tmp_path / "best.json", tmp_path / "study"
    options = ["--parts", "knn", "--study", study, "--trials", 2]
    assert main(command(file, out, *options, "--fans", 30)) == 0
    other = tmp_path / "other.parquet"
    random_frame(63, 120, 50, 0.5).write_parquet(other)
    before = out.read_bytes()
    for ratings_file, changed, said in (
        (file, ["--fans", 31], "with fans 30, not 31"),
        (file, ["--fans", 30, "--seed", 1], "with seed 0, not 1"),
        (file, ["--fans", 30, "--only", "k"], "ranges"),
        (other, ["--fans", 30], "with ratings"),
    ):
        capsys.readouterr()
        assert main(command(ratings_file, out, *options, *changed)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{study}: holds a study" in line
        assert said in line
    assert out.read_bytes() == before
    again = [*options, "--fans", 30, "--seed", 1, "--start-over"]
    capsys.readouterr()
    assert main(command(file, out, *again)) == 0
    assert "done before" not in capsys.readouterr().out
    assert main(command(file, out, *again)) == 0
    assert "knn: 2 trials were done before" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"no database at all, but a text file\n" * 50, None])
def test_a_file_that_is_no_study_is_left_alone(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    study = tmp_path / "study"
    if content is not None:
        study.write_bytes(content)
    else:
        database = sqlite3.connect(study)
        database.execute("CREATE TABLE diary (day TEXT)")
        database.close()
    before = study.read_bytes()
    assert main(command(file, tmp_path / "o.json", "--study", study, "--fans", 30)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(study) in line
    assert study.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_scores_that_tell_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No hidden score reaches 8, so no ranking can be measured."""
    path = tmp_path / "r.parquet"
    frame = random_frame(64, 60, 30, 0.5)
    frame.with_columns(frame["rating"].clip(upper_bound=7)).write_parquet(path)
    options = ["--parts", "affinity", "--fans", 20, "--trials", 2]
    assert main(command(path, tmp_path / "best.json", *options)) == 2
    assert "ndcg@10 cannot be measured" in capsys.readouterr().err
    assert not (tmp_path / "best.json").exists()
