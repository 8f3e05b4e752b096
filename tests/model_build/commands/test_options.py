"""Options: defaults and options are those of what they configure, and wrong ones are refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from typing import get_args

import pytest

from app.recommender import EngineName, SortOrder
from model_build.artifact.config import PublishOptions
from model_build.artifact.publish import QualityGate
from model_build.cli import COMMANDS, main
from model_build.collect.config import ACTIVITY_SEGMENTS, KitsuOptions
from model_build.engines.als import AlsSettings
from model_build.engines.config import ENGINE_OPTIONS, AlsOptions, HybridOptions
from model_build.engines.registry import NEURAL_ENGINES
from model_build.evaluate.comparison import DEFAULT_NAMES, PREDICTOR_NAMES, RECOMMENDER_NAMES
from model_build.evaluate.config import DefaultName, PredictorName, RecommenderName
from model_build.train.affinity import FULL_HISTORY
from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.als_grid import ParameterGrid
from model_build.tuning.config import GridConfig
from model_build.util.options import Config, EngineChoice, OrderName, options_of
from tests.model_build.worlds import ROOT


def defaults(config: type[Config]) -> dict[str, object]:
    return {option.name: option.default for option in options_of(config)}


def test_choices_are_what_there_is() -> None:
    assert get_args(EngineChoice) == tuple(EngineName)
    assert get_args(OrderName) == tuple(SortOrder)
    assert get_args(RecommenderName) == RECOMMENDER_NAMES
    assert get_args(DefaultName) == DEFAULT_NAMES
    assert get_args(PredictorName) == PREDICTOR_NAMES
    assert tuple(ENGINE_OPTIONS) == (EngineName.ALS, *NEURAL_ENGINES)
    assert KitsuOptions.model_fields["segments"].default == ",".join(ACTIVITY_SEGMENTS)


def test_defaults_are_those_of_the_settings() -> None:
    als = asdict(AlsSettings())
    # The option `strengths` is a file of them.
    assert defaults(AlsOptions).items() <= ({**als, **als["strengths"], "strengths": None}).items()
    assert asdict(QualityGate()).items() <= defaults(PublishOptions).items()
    assert asdict(ParameterGrid()).items() <= defaults(GridConfig).items()
    affinity = {"ridge": 150.0, "dropout": 0.3, "popularity_power": 0.14}
    assert asdict(FULL_HISTORY) == affinity
    trained = Hyperparameters()
    assert [*affinity.values()] == [
        trained.affinity_ridge,
        trained.affinity_dropout,
        trained.affinity_popularity,
    ]


def test_what_can_be_set_of_a_network_is_a_setting_of_it() -> None:
    pytest.importorskip("torch")
    from model_build.engines.network_training import NetworkSettings
    from model_build.engines.settings import AS_DESCRIBED

    options = {option.name for option in options_of(HybridOptions)}
    # The weights are one setting, and a recipe is several.
    several = {"recipe", "weight_rating", "weight_interaction"}
    assert several < options
    assert options - several <= asdict(NetworkSettings()).keys()
    assert AS_DESCRIBED.keys() < options


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_config_that_is_frozen(name: str) -> None:
    config = import_module(f"model_build.commands.{name}").CONFIG
    for each in [config] if isinstance(config, type) else [first for first, _ in config.values()]:
        assert issubclass(each, Config)
        assert each.model_config["frozen"]


def test_help_loads_nothing_and_help_of_a_command_that_alone() -> None:
    code = """
import sys
from model_build.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    print(sorted(set(sys.modules) & {"numpy", "polars", "pydantic", "app"}), file=sys.stderr)
    commands = [name for name in sys.modules if name.startswith("model_build.commands.")]
    print(commands, file=sys.stderr)
"""
    for words, loaded in (
        (["--help"], ["[]", "[]"]),
        (
            ["train", "--help"],
            ["['pydantic']", "['model_build.commands.options', 'model_build.commands.train']"],
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr.splitlines() == loaded


def test_commands_load_nothing_that_need_not_be_installed() -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "surprise":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from importlib import import_module
import model_build.cli
for name in model_build.cli.COMMANDS:
    import_module(f"model_build.commands.{name}")
print(sorted(set(sys.modules) & {"torch", "dask", "distributed", "mlflow", "wandb"}))
try:
    import model_build.evaluate.surprise_estimator
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded, error = done.stdout.splitlines()
    assert loaded == "[]"
    assert "pip install -r requirements-dev.txt" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "model_build: there is no command trian; did you mean train?"),
        (["xyz"], "model_build: there is no command xyz; expected one of serve, collect, "),
        # Python's way to write bytes that are no UTF-8, as the name of a file may be.
        (
            ["tune", "--ratings", "a\udcff.csv", "--out", "o"],
            "model_build tune: a\\udcff.csv: is no text in UTF-8; name it otherwise.",
        ),
    ],
)
def test_what_cannot_be_a_command_is_named(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--ratings", "r", "--out", "m", "--shrinkag", "3"], "unrecognized arguments"),
        (
            ["similar", "--model", "m", "--engine", "als"],
            "one of the arguments --anime --title --list is",
        ),
        (
            ["train", "--ratings=r", "--out=m", "--scheduler=tcp://h:1", "--local-cluster=2"],
            "argument --local-cluster: not allowed with argument --scheduler",
        ),
        (
            ["train", "--ratings=r", "--out=m", "--worker-memory=4"],
            "argument --worker-memory: '4' is not an amount of memory such as 4GB",
        ),
        (
            ["train", "--ratings=r", "--out=m", "--epochs", str(2**31)],
            "argument --epochs: 2147483648 is beyond 2,147,483,647, the largest number that makes",
        ),
        (
            ["split", "--ratings=r", "--out=d", "--seed", str(-(10**30))],
            "argument --seed: -1000000000000000000000000000000 is not a whole number of at least 0",
        ),
        (
            ["implicit", "grid", "--table=t", "--ratings=r", "--factors", "8", str(10**30)],
            "argument --factors: 1000000000000000000000000000000 is beyond 2,147,483,647",
        ),
        (["neural", "--ratings=r", "--dropout=1"], "argument --dropout: 1 is not a number below 1"),
        (
            ["train", "--ratings=r", "--out=m", "--affinity-ridge", "1e308"],
            "argument --affinity-ridge: 1e+308 is beyond 1e+30, the largest number that makes",
        ),
        (
            ["train", "--ratings=r", "--out=m", "--threads=1025"],
            "argument --threads: 1025 is not a whole number of at most 1024",
        ),
        (
            ["recommend", "--model=m", "--top", "9" * 5_000],
            f"argument --top: '{'9' * 40}…' is not a whole number\n",
        ),
        (
            ["collect", "kitsu", "--users=3", "--out=d", "--rate=fast"],
            "argument --rate: 'fast' is not a number from 0.01 to 100, or 0",
        ),
        (
            ["collect", "kitsu", "--users=3", "--out=d", "--segments=Huge"],
            "argument --segments: 'Huge' is not some of Low, Medium, High, with commas between",
        ),
    ],
)
def test_options_are_not_guessed_and_contradictions_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_no_seed_is_below_zero(name: str) -> None:
    """NumPy, scikit-learn and LightGBM take none."""
    config = import_module(f"model_build.commands.{name}").CONFIG
    parts = [part for part, _ in config.values()] if isinstance(config, dict) else [config]
    for each in parts:
        for option in options_of(each):
            if option.name == "seed":
                assert any(getattr(rule, "ge", None) == 0 for rule in option.rules)
