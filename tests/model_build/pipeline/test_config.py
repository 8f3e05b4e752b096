"""The configuration file: what it takes, what it refuses, and that the example names everything."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_build.cli import main
from model_build.pipeline.config import SECTIONS, TrainSection, read_config
from model_build.pipeline.example_config import example_config
from model_build.train.hyperparameters import Hyperparameters
from model_build.util.errors import InputError
from model_build.util.options import Config, OptionRole, options_of

EXAMPLE = Path(__file__).parents[3] / "model_build" / "build.example.toml"
OF_COMMANDS = [(name, model) for name, model in SECTIONS if name not in ("data", "mlflow", "wandb")]
GOOD = '[data]\nratings = "r.csv"\n[train]\nshrinkage = 80\n'


COMMANDS = {
    "catalogue": ("catalogue",),
    "prepare": ("prepare",),
    "train": ("train",),
    "evaluate": ("split", "evaluate"),
    "compare": ("compare",),
    "neural": ("neural",),
    "report": ("report",),
    "publish": ("publish",),
    "tune": ("tune",),
    "by_ratings": ("recommend",),
    "similar_anime": ("similar",),
    "similar_users": ("similar",),
}
"""Of sections without subcommands."""
GIVEN_BY_THE_PIPELINE = {
    "catalogue": "catalogue answers out",
    "collect": "out quiet skip until",
    "prepare": "out add add_to quiet",
    "train": "ratings catalogue out metrics quiet",
    "engines": "model ratings interactions out",
    "implicit": "ratings interactions json out table start_over model catalogue",
    "neural": "ratings json",
    "evaluate": "ratings out interactions model lists holdout json engine",
    "compare": "ratings catalogue json",
    "report": "ratings model out catalogue compare",
    "publish": "model",
    "tune": "ratings out study catalogue start_over",
    "by_ratings": "model json interactions user top-users picture top_users",
    "similar_anime": "model json list prefer anime",
    "similar_users": "model json anime title",
}


def written(folder: Path, text: str = GOOD) -> Path:
    path = folder / "build.toml"
    path.write_text(text, "utf-8")
    return path


def block_of(text: str, name: str, model: type[Config]) -> str:
    """The lines of a section of the example."""
    of_service = f'service = "{service_of(model)}"' if name == "collect" else ""
    (block,) = (
        block
        for block in re.split(r"^#?\[", text, flags=re.M)
        if block.startswith(f"{name}]") and of_service in block
    )
    return str(block)


def set_in(text: str, name: str, model: type[Config]) -> dict[str, object]:
    """All keys of a section of the example, also those that are commented out."""
    lines = [line.removeprefix("#") for line in block_of(text, name, model).splitlines()[1:]]
    return tomllib.loads("\n".join(line for line in lines if re.match(r"[a-z_]+ = ", line)))


def service_of(model: type[Config]) -> object:
    return model.model_fields["service"].default


def required_lines(name: str, model: type[Config]) -> str:
    """What a section cannot be without, with the values of the example."""
    keys = set_in(EXAMPLE.read_text("utf-8"), name, model)
    wanted = [option.key for option in options_of(model) if option.required and option.key in keys]
    lines = [f"{key} = {_toml(keys[key])}\n" for key in wanted]
    return "".join([*([f'service = "{service_of(model)}"\n'] if name == "collect" else []), *lines])


def test_the_example_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "--example"]) == 0
    told = capsys.readouterr().out
    written_by = f"python -m model_build pipeline --example >{EXAMPLE.name}"
    assert EXAMPLE.read_text("utf-8") == told, written_by


@pytest.mark.parametrize(("name", "model"), OF_COMMANDS)
def test_the_example_names_every_option_of_the_commands(name: str, model: type[Config]) -> None:
    keys = set_in(EXAMPLE.read_text("utf-8"), name, model)
    section = name.partition(".")[0]
    if section in COMMANDS:
        configs = [
            import_module(f"model_build.commands.{command}").CONFIG for command in COMMANDS[section]
        ]
    else:
        command = import_module(f"model_build.commands.{section.removesuffix('s')}")
        configs = [command.CONFIG[name.partition(".")[2] or service_of(model)][0]]
    for config in configs:
        flags = {
            option.key for option in options_of(config) if option.role is not OptionRole.SUBCOMMAND
        }
        assert flags
        assert flags - set(GIVEN_BY_THE_PIPELINE[section].split()) <= set(keys)


def test_the_example_shows_the_defaults_of_training() -> None:
    shown = set_in(EXAMPLE.read_text("utf-8"), "train", TrainSection)
    defaults = Hyperparameters().model_dump()
    assert {name: shown[name] for name in defaults} == defaults


def test_the_example_can_be_read_as_it_is_and_with_any_section(tmp_path: Path) -> None:
    text = example_config()
    assert set(read_config(written(tmp_path, text)).sections()) == {
        *("data", "train", "evaluate", "compare", "report")
    }
    commented = [(name, model) for name, model in SECTIONS if f"#[{name}]" in text]
    assert commented
    for name, model in commented:
        block = block_of(text, name, model)
        lines = f"[{name}]\n{required_lines(name, model)}"
        ratings = {"collect", "prepare"} & {name}  # they come from one place
        rest = text.replace('ratings = ["ratings.parquet"]\n', "") if ratings else text
        assert name in read_config(written(tmp_path, rest + lines)).sections(), block


@pytest.mark.parametrize(("name", "model"), OF_COMMANDS)
def test_every_value_of_the_example_is_taken(
    tmp_path: Path, name: str, model: type[Config]
) -> None:
    keys = set_in(EXAMPLE.read_text("utf-8"), name, model)
    for option in options_of(model):
        if option.role is OptionRole.SUBCOMMAND:
            continue
        needed = required_lines(name, model)
        if name not in ("collect", "prepare"):
            needed += '[data]\nratings = "r.csv"\n'
        if name != "train":
            needed += "[train]\n"
        together = "pretrained" if option.key == "version" else None
        overrides = [f"{name}.{key}={_toml(keys[key])}" for key in (option.key, together) if key]
        config = read_config(written(tmp_path, f"[{name}]\n{needed}"), overrides)
        value = getattr(config.sections()[name], option.name)
        if option.role in (OptionRole.INPUT, OptionRole.PLACE) or option.type is Path:
            values = value if isinstance(value, tuple) else (value,)
            shown = keys[option.key] if isinstance(keys[option.key], list) else [keys[option.key]]
            for path, key in zip(values, shown, strict=True):  # type: ignore[arg-type]
                assert str(path).endswith(str(key))
        else:
            assert value == (tuple(keys[option.key]) if option.many else keys[option.key])  # type: ignore[arg-type]


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else re.sub("'", '"', repr(value))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.shrinkag=3", "train.shrinkag is not known; did you mean shrinkage?"),
        ("trian.k=3", "--set trian.k=3: trian is not known; did you mean train?"),
        ("train.shrinkage=-3", "train.shrinkage: -3.0 is not a number of at least 0."),
        ("train.recent_facts_shrinkage=0", "recent_facts_shrinkage: 0 is not a number above 0."),
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
@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1), st.sampled_from(OF_COMMANDS))
def test_no_unknown_key_is_taken(
    tmp_path_factory: pytest.TempPathFactory, key: str, section: tuple[str, type[Config]]
) -> None:
    name, model = section
    text = GOOD if name == "train" else f"{GOOD}[{name}]\n{required_lines(name, model)}"
    path = written(tmp_path_factory.getbasetemp(), text)
    if key not in {option.key for option in options_of(model)}:
        with pytest.raises(InputError, match="is not known"):
            read_config(path, [f"{name}.{key}=1"])


def test_overrides_win_and_words_need_no_quotes(tmp_path: Path) -> None:
    overrides = ["train.shrinkage=7", "train.name=my lists", "publish.to=gs://b/m", "seed=3"]
    config = read_config(written(tmp_path), overrides)
    assert config.train is not None
    assert config.train.model_dump(exclude_unset=True) == {"shrinkage": 7.0, "name": "my lists"}
    assert config.publish is not None
    assert config.publish.to == "gs://b/m"
    assert config.seed == 3


def test_the_seed_is_that_of_every_section_without_its_own(tmp_path: Path) -> None:
    text = f"seed = 5\n{GOOD}[evaluate]\n[compare]\nseed = 6\n"
    config = read_config(written(tmp_path, text))
    assert config.evaluate is not None
    assert config.compare is not None
    assert (config.evaluate.seed, config.compare.seed) == (5, 6)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = (
        '[data]\nratings = ["a.csv", "/b.csv"]\n[train]\nsettings = "best.json"\n[publish]\nto="x"'
    )
    config = read_config(written(tmp_path, text))
    assert config.data.ratings == (str(tmp_path / "a.csv"), "/b.csv")
    assert config.train is not None
    assert config.train.settings == tmp_path / "best.json"
    assert config.publish is not None
    assert config.publish.to == str(tmp_path / "x")
    assert config.work == tmp_path / "build"
