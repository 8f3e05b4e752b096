"""Settings in a file: written whole, read with every value checked, and used by train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.recommender import Model
from model_build.cli import main
from model_build.train.hyperparameters import (
    Hyperparameters,
    read_hyperparameters,
    write_hyperparameters,
)
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame


def test_what_is_written_is_read(tmp_path: Path) -> None:
    settings = Hyperparameters(k=7, shrinkage=12.5, precision="compact").model_dump()
    file = tmp_path / "new" / "best.json"
    write_hyperparameters(file, settings)
    assert read_hyperparameters(file) == settings
    write_hyperparameters(file, {"k": 9})
    assert read_hyperparameters(file) == {"k": 9}
    assert [path.name for path in file.parent.iterdir()] == ["best.json"]


def test_a_whole_number_will_do_for_a_fraction(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"shrinkage": 300}')
    found = read_hyperparameters(tmp_path / "s.json")
    assert found == {"shrinkage": 300.0}
    assert isinstance(found["shrinkage"], float)


def test_train_uses_the_file_and_options_win(tmp_path: Path) -> None:
    random_frame(51, 40, 25, 0.5).write_parquet(tmp_path / "r.parquet")
    (tmp_path / "s.json").write_text('{"shrinkage": 33, "k": 5, "affinity_ridge": 50.5}')
    command = f"train --ratings {tmp_path / 'r.parquet'} --quiet --settings {tmp_path / 's.json'}"
    for out, options in (("one", []), ("two", ["--k", "40", "--shrinkage", "0"])):
        assert main([*command.split(), "--out", str(tmp_path / out), *options]) == 0
    one, two = (Model.open(tmp_path / out).manifest.hyperparameters for out in ("one", "two"))
    # 40 is the default of k: an option that says what is the default still wins over the file.
    for name, from_file, from_options in (
        ("shrinkage", 33, 0),
        ("k", 5, 40),
        ("affinity_ridge", 50.5, 50.5),
        ("reg_user", 15, 15),
    ):
        assert (one[name], two[name]) == (from_file, from_options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"k": 5, "shrinkge": 3}', "'shrinkge' is no setting; did you mean shrinkage?"),
        ('{"xyz": 5}', "'xyz' is no setting; expected some of reg_user, reg_item, "),
        ('{"k": 0}', "k is 0; expected a whole number from 1"),
        ('{"k": 1000000001}', "k is 1000000001; expected a whole number"),
        ('{"shrinkage": 1' + "0" * 400 + "}", "shrinkage is 10+; expected a number"),
        ('{"k": 2.5}', "k is 2.5; expected a whole number"),
        ('{"k": true}', "k is true; expected a whole number"),
        ('{"k": "5"}', 'k is "5"; expected a whole number'),
        ('{"k": null}', "k is null"),
        ('{"shrinkage": -1}', "shrinkage is -1; expected a number from 0"),
        ('{"shrinkage": NaN}', "shrinkage is NaN; expected a number"),
        ('{"shrinkage": Infinity}', "shrinkage is Infinity; expected a number"),
        ('{"shrinkage": true}', "shrinkage is true; expected a number"),
        ('{"shrinkage": [1]}', r"shrinkage is \[1\]; expected a number"),
        ('{"recent_facts_shrinkage": 0}', "recent_facts_shrinkage is 0; expected a number above 0"),
        ('{"precision": "half"}', 'precision is "half"; expected exact or compact'),
        ('{"precision": 1}', "precision is 1; expected exact or compact"),
        ('{"k": 5, "k": 6}', "k stands there more than once"),
        ('["k"]', "expected one JSON object"),
        ("{", "cannot be read as settings"),
        ("", "cannot be read as settings"),
        ("[" * 100_000, "cannot be read as settings"),
    ],
)
def test_what_is_no_setting_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as refused:
        read_hyperparameters(file)
    assert str(refused.value).startswith(f"{file}: ")


def test_train_says_one_sentence_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random_frame(51, 40, 25, 0.5).write_parquet(tmp_path / "r.parquet")
    (tmp_path / "s.json").write_text(json.dumps({"neighbors": 5}))
    before = sorted(tmp_path.iterdir())
    for name in ("s.json", "missing.json"):
        arguments = ["train", "--ratings", str(tmp_path / "r.parquet"), "--out"]
        arguments += [str(tmp_path / "model"), "--settings", str(tmp_path / name)]
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(tmp_path / name) in line
    assert sorted(tmp_path.iterdir()) == before
