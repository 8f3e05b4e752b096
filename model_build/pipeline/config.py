"""The configuration file: TOML in, checked values out, messages that name file and key."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from model_build.artifact.config import PublishOptions
from model_build.artifact.registries import is_registry_address
from model_build.collect.config import KitsuOptions, MyAnimeListOptions
from model_build.data.config import CATALOGUE_FILE, CatalogueOptions, PrepareOptions, SplitOptions
from model_build.engines.config import ENGINE_OPTIONS, AlsEngineOptions, NetworkEngineOptions
from model_build.evaluate.config import CompareOptions, EvaluateOptions, NeuralOptions
from model_build.interface.config import ByRatingsSection, SimilarAnimeSection, SimilarUsersSection
from model_build.reporting.config import ReportOptions
from model_build.tracking.trackers import MLflowOptions, WandbOptions
from model_build.train.config import TrainOptions
from model_build.tuning.config import IMPLICIT_OPTIONS, ImplicitOptions, TuneOptions
from model_build.tuning.search_spaces import FRANCHISE_METRIC, search_ranges, select_spaces
from model_build.util.errors import InputError, read_file
from model_build.util.options import (
    Config,
    InputFile,
    InputPlaces,
    Location,
    Option,
    OptionRole,
    options_of,
)
from model_build.util.storage import is_gcs_url

TomlTable = dict[str, Any]
SEED_KEY = "seed"
SERVICE_KEY = "service"
BUNDLED = "bundled"
EXPECTED_TYPES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text in quotes",
    "path_type": "text in quotes",
}


class DataOptions(Config):
    """Ratings and what else fans did that lie in files, and facts about anime."""

    ratings: InputPlaces = Field(
        (),
        description="CSV or Parquet files, or one folder that prepare wrote",
        examples=[["ratings.parquet"]],
    )
    interactions: InputFile | None = Field(
        None,
        description="what `collect` found, of the same fans: ALS and [implicit] learn from it",
        examples=["interactions.parquet"],
    )
    catalogue: InputFile | None = Field(
        None,
        description="facts about anime, CSV or Parquet (default: what came with the ratings)",
        examples=["catalogue.parquet"],
    )


class TrainSection(TrainOptions):
    """Train the model, or fetch one."""

    pretrained: Location | None = Field(
        None,
        description="a model to fetch instead of training one: bundled, a directory or "
        "gs:// or s3://bucket/prefix or hf://owner/name where models are published, "
        "models:/name/version (at [mlflow]'s uri) or wandb:entity/project/name:version",
        examples=[BUNDLED],
    )
    version: str | None = Field(
        None, description="which of those there (default: the live one)", examples=["VERSION"]
    )


class EvaluateSection(EvaluateOptions, SplitOptions):
    """Measure on fans left out: the same is trained again without them."""


SERVICES: dict[str, type[Config]] = {"kitsu": KitsuOptions, "myanimelist": MyAnimeListOptions}
SECTIONS: tuple[tuple[str, type[Config]], ...] = (
    ("data", DataOptions),
    ("catalogue", CatalogueOptions),
    *(("collect", options) for options in SERVICES.values()),
    ("prepare", PrepareOptions),
    ("tune", TuneOptions),
    *((f"implicit.{name}", options) for name, options in IMPLICIT_OPTIONS.items()),
    ("train", TrainSection),
    *((f"engines.{name}", options) for name, options in ENGINE_OPTIONS.items()),
    ("evaluate", EvaluateSection),
    ("compare", CompareOptions),
    ("neural", NeuralOptions),
    ("report", ReportOptions),
    ("by_ratings", ByRatingsSection),
    ("similar_anime", SimilarAnimeSection),
    ("similar_users", SimilarUsersSection),
    ("publish", PublishOptions),
    ("mlflow", MLflowOptions),
    ("wandb", WandbOptions),
)
"""Name and options of each section; `collect` has other options for each service."""
TABLES: dict[str, tuple[Mapping[str, type[Config]], str]] = {
    "implicit": (IMPLICIT_OPTIONS, "part"),
    "engines": (ENGINE_OPTIONS, "engine"),
}
"""Sections of which there is one a name, such as [engines.als], and the option that holds it."""
RECOMMENDING = ("by_ratings", "similar_anime", "similar_users")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """What is to be built, and how; None for sections that the file does not have.

    Paths are relative to the file's folder; ``engines`` keeps the order of the file.
    """

    work: Path
    seed: int
    data: DataOptions
    engines: Mapping[str, AlsEngineOptions | NetworkEngineOptions]
    implicit: Mapping[str, ImplicitOptions]
    catalogue: CatalogueOptions | None = None
    collect: KitsuOptions | MyAnimeListOptions | None = None
    prepare: PrepareOptions | None = None
    tune: TuneOptions | None = None
    train: TrainSection | None = None
    evaluate: EvaluateSection | None = None
    compare: CompareOptions | None = None
    neural: NeuralOptions | None = None
    report: ReportOptions | None = None
    by_ratings: ByRatingsSection | None = None
    similar_anime: SimilarAnimeSection | None = None
    similar_users: SimilarUsersSection | None = None
    publish: PublishOptions | None = None
    mlflow: MLflowOptions | None = None
    wandb: WandbOptions | None = None

    def sections(self) -> dict[str, Config]:
        """The sections that the file has, by name, `data` included."""
        plain = {name: getattr(self, name) for name, _ in SECTIONS if "." not in name}
        found = {name: section for name, section in plain.items() if section is not None}
        return found | {
            f"{table}.{name}": options
            for table in TABLES
            for name, options in getattr(self, table).items()
        }


def read_config(
    path: Path,
    overrides: Sequence[str] = (),
    find_contradiction: Callable[[PipelineConfig], str | None] | None = None,
) -> PipelineConfig:
    """Read a file; each of ``overrides`` is ``section.key=value``.

    ``find_contradiction`` says what is wrong with the sections together (default: what is wrong for
    a pipeline).
    """
    table = read_file(path, "TOML", tomllib.loads)
    origins = {_apply_override(table, override): override for override in overrides}
    config = _ConfigReader(path, origins).read(table)
    if contradiction := (find_contradiction or _contradiction)(config):
        raise InputError(f"{path}: {contradiction}.")
    return config


def _apply_override(table: TomlTable, text: str) -> str:
    """Put an override into the table; its key."""
    dotted, equals, value = text.partition("=")
    *tables, key = (part.strip() for part in dotted.split("."))
    if not equals or not key or not all(tables):
        raise InputError(f"--set {text}: expected section.key=value, as train.shrinkage=80.")
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {text}: {name} is a value and has no keys.")
    try:
        table[key] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[key] = value  # a word without quotes
    return dotted.strip()


@dataclass(frozen=True, slots=True)
class _ConfigReader:
    path: Path
    overrides: Mapping[str, str]

    def read(self, table: TomlTable) -> PipelineConfig:
        models = dict(SECTIONS)
        plain = [name for name in models if "." not in name]
        self._check_keys(table, ("work", SEED_KEY, *plain, *TABLES), "")
        work, seed = table.get("work", "build"), table.get(SEED_KEY, 0)
        if not isinstance(work, str) or not work:
            raise self._wrong_value("work", work, "the name of a folder")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise self._wrong_value(SEED_KEY, seed, "a whole number of at least 0")
        collect = table.get("collect", {SERVICE_KEY: "kitsu"})
        service = collect.get(SERVICE_KEY) if isinstance(collect, dict) else None
        if service not in SERVICES:
            key, expected = f"collect.{SERVICE_KEY}", f"one of {', '.join(SERVICES)}"
            raise self._wrong_value(key, service, expected)
        models["collect"] = SERVICES[service]
        tables: TomlTable = {"data": {}} | {name: table[name] for name in plain if name in table}
        sections: dict[str, Any] = {
            name: self._section(name, models[name], options, seed)
            for name, options in tables.items()
        }
        for name in TABLES:
            sections[name] = self._named_sections(name, table.get(name, {}), seed)
        return PipelineConfig(work=self.path.parent / work, seed=seed, **sections)

    def _named_sections(self, table: str, named: object, seed: int) -> dict[str, Config]:
        """The sections of a table of sections, in the order of the file."""
        models, key = TABLES[table]
        if not isinstance(named, dict):
            example = f"tables such as [{table}.{next(iter(models))}]"
            raise self._wrong_value(table, named, example)
        self._check_keys(named, models, f"{table}.")
        return {
            name: self._section(f"{table}.{name}", models[name], options, seed, **{key: name})
            for name, options in named.items()
        }

    def _section(
        self, name: str, model: type[Config], table: object, seed: int, **chosen: str
    ) -> Config:
        """The options of a section, with the file's seed where it has none of its own."""
        if not isinstance(table, dict):
            raise self._wrong_value(name, table, f"a table, as [{name}]")
        options = {option.key: option for option in options_of(model)}
        self._check_keys(table, options.keys() - chosen.keys(), f"{name}.")
        values = {key: self._resolve(options[key], value) for key, value in table.items()} | chosen
        if SEED_KEY in options:
            values.setdefault(SEED_KEY, seed)
        try:  # as JSON, where a path is a string: otherwise no value of another type is taken
            return model.model_validate_json(json.dumps(values, default=str), strict=True)
        except ValidationError as error:
            raise self._refusal(name, options, error.errors()) from None

    def _resolve(self, option: Option, value: object) -> object:
        """A value with paths relative to the file's folder; addresses stay what they are."""
        if option.many or isinstance(value, list):
            values = value if isinstance(value, list) else [value]
            return [self._resolve_path(option, each) for each in values]
        return self._resolve_path(option, value)

    def _resolve_path(self, option: Option, value: object) -> object:
        is_path = option.role in (OptionRole.INPUT, OptionRole.OUTPUT, OptionRole.PLACE)
        if not is_path or not isinstance(value, str) or "://" in value or value == BUNDLED:
            return value
        if option.role is OptionRole.PLACE and is_registry_address(value):
            return value
        return str(self.path.parent / value)

    def _refusal(
        self, section: str, options: Mapping[str, Option], errors: Sequence[ErrorDetails]
    ) -> InputError:
        missing = [options[str(e["loc"][0])].flag for e in errors if e["type"] == "missing"]
        if missing:
            said = f"the following arguments are required: {', '.join(missing)}"
            return InputError(f"{self.path}: [{section}]: {said}.")
        error = errors[0]
        if not error["loc"]:
            return InputError(f"{self.path}: [{section}]: {error['ctx']['error']}.")
        option = options[str(error["loc"][0])]
        key = f"{section}.{option.key}"
        if error["type"] in EXPECTED_TYPES:
            return self._wrong_value(key, error["input"], EXPECTED_TYPES[error["type"]])
        if error["type"] == "literal_error" and section in ("mlflow", "wandb"):
            return self._wrong_value(key, error["input"], str(error["ctx"]["expected"]))
        return InputError(f"{self._origin(key)}: {option.problem(error)}.")

    def _check_keys(self, table: TomlTable, keys: Iterable[str], where: str) -> None:
        known = list(keys)
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key.replace("-", "_"), known, 1, 0.6)
                hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}."
                raise InputError(f"{self._origin(where + key)} is not known; {hint}")

    def _wrong_value(self, key: str, value: object, expected: str) -> InputError:
        if value is None:
            return InputError(f"{self._origin(key)} is missing; expected {expected}.")
        shown = json.dumps(value, default=str, ensure_ascii=False)
        return InputError(f"{self._origin(key)} is {shown}; expected {expected}.")

    def _origin(self, key: str) -> str:
        """Where a key was said: in the file, or in an override of it or of one beneath."""
        for dotted, text in self.overrides.items():
            if dotted == key or dotted.startswith(f"{key}."):
                return f"--set {text}: {key}"
        return f"{self.path}: {key}"


def _contradiction(config: PipelineConfig) -> str | None:
    """What sections lack of each other, or have too much."""
    sections, train = config.sections(), config.train
    if wrong := _wrong_sources(config, sections) or _wrong_search(config):
        return wrong
    if train is None:
        wanting = ("evaluate", "report", *RECOMMENDING, "publish")
        models = [name for name in wanting if name in sections]
        for name in [*models, *(["engines"] if config.engines else [])]:
            return f"{name}: needs a model; add [train], with pretrained to fetch one"
        return None
    fetched = train.pretrained is not None
    if train.version is not None and not fetched:
        return "train.version: goes with train.pretrained, which says where from"
    if "tune" in sections and (fetched or train.settings is not None):
        key = "pretrained" if fetched else "settings"
        return f"tune: finds the settings to train with, so it does not go with train.{key}"
    for name in sorted(train.model_fields_set - {"pretrained", "version"}) if fetched else []:
        return f"train.{name}: a model that is fetched has its settings; remove it"
    if fetched and config.evaluate is not None and config.evaluate.full_knn is not None:
        return "evaluate.full_knn: needs what a model was trained on, which no fetched one has"
    return None


def _wrong_search(config: PipelineConfig) -> str | None:
    """What `tune` would refuse of its options."""
    tune = config.tune
    if tune is None:
        return None
    try:
        if tune.folds is None:
            select_spaces(tune.parts, tune.objective, tune.only)
        else:
            search_ranges(tune.only)
    except InputError as error:
        return f"tune.{str(error).removeprefix('--').removesuffix('.')}"
    has_catalogue = any(
        (
            *(config.catalogue, config.data.catalogue, config.prepare),
            *((Path(place) / CATALOGUE_FILE).is_file() for place in config.data.ratings),
        )
    )
    if tune.objective == FRANCHISE_METRIC and not has_catalogue:
        return f"tune.objective: {FRANCHISE_METRIC} needs franchises; set data.catalogue"
    return None


def _wrong_sources(config: PipelineConfig, sections: Mapping[str, Config]) -> str | None:
    """What is wrong with where ratings and interactions come from."""
    ratings, interactions, train = config.data.ratings, config.data.interactions, config.train
    sources = [name for name in ("collect", "prepare") if name in sections]
    sources += ["data.ratings"] if ratings else []
    if len(sources) > 1:
        return f"{' and '.join(sources)}: ratings come from one of them; leave out others"
    if isinstance(config.collect, KitsuOptions) and interactions:
        return "collect and data.interactions: what fans did comes from one of them; leave one out"
    names = ("tune", "evaluate", "compare", "neural", "report")
    reading = [name for name in names if name in sections]
    reading += [f"engines.{name}" for name in config.engines if name != "als" or not interactions]
    reading += [] if interactions else [f"implicit.{name}" for name in config.implicit]
    trained = [] if train is None or train.pretrained is not None else ["train"]
    for name in [] if sources else [*trained, *reading]:
        return f"{name}: needs ratings; set data.ratings, or collect or prepare some"
    if reading and ratings and is_gcs_url(ratings[0]):
        return f"{reading[0]}: cannot read {ratings[0]}; download it"
    return None
