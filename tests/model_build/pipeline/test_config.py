"""The configuration file: what it takes, what it refuses, and that the example names everything."""

from __future__ import annotations

import argparse
import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_build.cli import main
from model_build.pipeline.command_options import CommandSpec
from model_build.pipeline.config import read_config
from model_build.pipeline.example_config import example_config
from model_build.pipeline.sections import SECTION_SPECS, section_options, section_subcommands
from model_build.train.hyperparameters import Hyperparameters
from model_build.util.errors import InputError

EXAMPLE = Path(__file__).parents[3] / "model_build" / "build.example.toml"
GOOD = '[data]\nratings = "r.csv"\n[train]\nshrinkage = 80\n'


def there(name: str) -> bool:
    """Whether this version has the command of a section."""
    try:
        section_subcommands(name)
    except InputError:
        return False
    return True


CHOICES = [
    (name, choice)
    for name in SECTION_SPECS
    if there(name)
    for choice in (
        section_subcommands(name) or ((None,) if not SECTION_SPECS[name].per_subcommand else ())
    )
]


def written(folder: Path, text: str = GOOD) -> Path:
    path = folder / "build.toml"
    path.write_text(text, "utf-8")
    return path


def set_in(text: str, name: str, choice: str | None = None) -> dict[str, object]:
    """All keys of a section of the example, also those that are commented out."""
    header = (
        name if choice is None or not SECTION_SPECS[name].per_subcommand else f"{name}.{choice}"
    )
    of_service = "" if header != name or choice is None else f'service = "{choice}"'
    (block,) = (
        block
        for block in re.split(r"^#?\[", text, flags=re.M)
        if block.startswith(f"{header}]") and of_service in block
    )
    lines = [line.removeprefix("#") for line in block.splitlines()[1:]]
    return tomllib.loads("\n".join(line for line in lines if re.match(r"[a-z_]+ = ", line)))


def test_the_example_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "--example"]) == 0
    told = capsys.readouterr().out
    written_by = f"python -m model_build pipeline --example >{EXAMPLE.name}"
    assert EXAMPLE.read_text("utf-8") == told, written_by


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_the_example_names_every_option_of_the_commands(name: str, choice: str | None) -> None:
    keys = set_in(EXAMPLE.read_text("utf-8"), name, choice)
    for word in SECTION_SPECS[name].commands:
        command = CommandSpec.load(word, *([choice] if choice else []))
        flags = {
            flag.lstrip("-").replace("-", "_")
            for action in command.parser._actions
            if not isinstance(action, argparse._HelpAction)
            for flag in action.option_strings[-1:]
        }
        assert flags
        assert flags - SECTION_SPECS[name].excluded_options <= set(keys)


def test_the_example_shows_the_defaults_of_training() -> None:
    shown = set_in(EXAMPLE.read_text("utf-8"), "train")
    defaults = asdict(Hyperparameters())
    assert {name: shown[name] for name in defaults} == defaults


def test_the_example_can_be_read_as_it_is_and_with_any_section(tmp_path: Path) -> None:
    text = example_config()
    assert set(read_config(written(tmp_path, text)).sections) == {
        *("train", "evaluate", "compare", "report")
    }
    commented = re.findall(r"^#\[[a-z.]+\]$(?:\n#service.*)?", text, flags=re.M)
    assert commented
    for lines in commented:
        read_config(written(tmp_path, text.replace(lines, re.sub("^#", "", lines, flags=re.M), 1)))


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_every_value_of_the_example_is_taken(tmp_path: Path, name: str, choice: str | None) -> None:
    header = (
        name if choice is None or not SECTION_SPECS[name].per_subcommand else f"{name}.{choice}"
    )
    keys = set_in(EXAMPLE.read_text("utf-8"), name, choice)
    for key in section_options(name, choice):
        text = f"[{header}]\n"
        if choice is not None and not SECTION_SPECS[name].per_subcommand:
            text += f'service = "{choice}"\n'
        config = read_config(written(tmp_path, text), [f"{header}.{key}={_toml(keys[key])}"])
        found = config.engines[choice] if header != name and choice else config.sections[name]
        value = found[key]
        if section_options(name, choice)[key].is_path or key == "to":
            assert str(value).endswith(str(keys[key]))
        else:
            assert value == keys[key]


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else re.sub("'", '"', repr(value))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.shrinkag=3", "train.shrinkag is not known; did you mean shrinkage?"),
        ("trian.k=3", "--set trian.k=3: trian is not known; did you mean train?"),
        ("train.shrinkage=-3", "train.shrinkage: -3.0 is not a number of at least 0."),
        ("train.shrinkage=nan", "is not a number of at least 0."),
        ("train.shrinkage=high", 'train.shrinkage is "high"; expected a number.'),
        ("train.k=2.5", "train.k is 2.5; expected a whole number."),
        ("train.k=0", "train.k: 0 is not a whole number of at least 1."),
        ("train.k=true", "train.k is true; expected a whole number."),
        ("train.precision=half", "train.precision: half is none of exact, compact."),
        ("train.keep_sums=1", "train.keep_sums is 1; expected true or false."),
        ("train.worker_memory=4", "train.worker_memory: '4' is not an amount of memory such as"),
        ("train.out=x", "train.out is not known"),
        ("evaluate.by-length=true", "did you mean by_length?"),
        ('compare.models=["nobody"]', "compare.models: nobody is none of popularity, "),
        ("wandb.mode=sometimes", "wandb.mode is \"sometimes\"; expected 'online' or 'offline'."),
        ("mlflow.uri=3", "mlflow.uri is 3; expected text in quotes."),
        ("data.ratings=3", "data.ratings is 3; expected "),
        ("seed=-1", "seed is -1; expected a whole number of at least 0."),
        ("seed=true", "seed is true; expected a whole number of at least 0."),
        ("work=3", "work is 3; expected the name of a folder."),
        ("train=3", "train is 3; expected a table, as [train]."),
        ("train.k.x=3", "train.k is "),
        ("train", "--set train: expected section.key=value"),
        ("=3", "--set =3: expected section.key=value"),
        ("seed.x=3", "seed is "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_config(written(tmp_path), [override])
    assert said in str(refused.value)


def test_what_stands_in_the_file_is_told_by_file_and_key(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "neighbors = 3\n")
    with pytest.raises(InputError) as refused:
        read_config(path)
    assert str(refused.value) == (f"{path}: train.neighbors is not known; did you mean neighbours?")


@pytest.mark.parametrize("text", ["[train\n", "a = 1\na = 2\n", "k = \n"])
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=r"cannot be read as TOML .*line"):
        read_config(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: there is no such file"):
        read_config(tmp_path / "none.toml")


@settings(deadline=None, max_examples=30)
@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1), st.sampled_from(list(SECTION_SPECS)))
def test_no_unknown_key_is_taken(
    tmp_path_factory: pytest.TempPathFactory, key: str, name: str
) -> None:
    if not there(name) or SECTION_SPECS[name].per_subcommand or section_subcommands(name):
        return
    known = {*section_options(name), *SECTION_SPECS[name].extra_fields}
    path = written(tmp_path_factory.getbasetemp())
    if key not in known:
        with pytest.raises(InputError, match="is not known"):
            read_config(path, [f"{name}.{key}=1"])


def test_overrides_win_and_words_need_no_quotes(tmp_path: Path) -> None:
    overrides = ["train.shrinkage=7", "train.name=my lists", "publish.to=gs://b/m", "seed=3"]
    config = read_config(written(tmp_path), overrides)
    assert config.sections["train"] == {"shrinkage": 7.0, "name": "my lists"}
    assert config.sections["publish"]["to"] == "gs://b/m"
    assert config.seed == 3


def test_the_seed_is_that_of_every_section_without_its_own(tmp_path: Path) -> None:
    text = f"seed = 5\n{GOOD}[evaluate]\n[compare]\nseed = 6\n"
    config = read_config(written(tmp_path, text))
    assert (config.sections["evaluate"]["seed"], config.sections["compare"]["seed"]) == (5, 6)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = (
        '[data]\nratings = ["a.csv", "/b.csv"]\n[train]\nsettings = "best.json"\n[publish]\nto="x"'
    )
    config = read_config(written(tmp_path, text))
    assert config.data.ratings == [str(tmp_path / "a.csv"), "/b.csv"]
    assert config.sections["train"]["settings"] == str(tmp_path / "best.json")
    assert config.sections["publish"]["to"] == str(tmp_path / "x")
    assert config.work == tmp_path / "build"
