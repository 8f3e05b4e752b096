"""The configuration file: TOML in, checked values out, messages that name file and key."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from model_build.pipeline.command_options import OptionValue
from model_build.pipeline.sections import (
    BUNDLED,
    FIXED_SECTIONS,
    SECTION_SPECS,
    SERVICE_KEY,
    DataSection,
    MLflowSection,
    WandbSection,
    section_model,
    section_options,
    section_subcommands,
)
from model_build.util.errors import InputError

TomlTable = dict[str, Any]
PATH_OPTIONS = ("to", "pretrained")
"""Options that are a directory or an address."""
SEED_KEY = "seed"
EXPECTED_TYPES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text in quotes",
    "list_type": "a list",
    "dict_type": "a table",
}


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What is to be built, and how.

    ``sections`` has those that stand in the file, by name, with the options that they set: paths
    are relative to the file's folder. ``engines`` has their options by name, in their order.
    """

    work: Path
    seed: int
    data: DataSection
    sections: dict[str, dict[str, OptionValue]]
    engines: dict[str, dict[str, OptionValue]]
    mlflow: MLflowSection | None
    wandb: WandbSection | None


def read_config(path: Path, overrides: Sequence[str] = ()) -> PipelineConfig:
    """Read a file; each of ``overrides`` is ``section.key=value``.

    Raises:
        InputError: it cannot be read, or a key or a value is wrong; file, key and what was expected
            are named.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error}).") from None
    said = {}
    for override in overrides:
        key = _apply_override(table, override)
        said[key] = override
    return _ConfigReader(path, said).read_config_table(table)


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

    def read_config_table(self, table: TomlTable) -> PipelineConfig:
        self._check_keys(table, ("work", SEED_KEY, *SECTION_SPECS, *FIXED_SECTIONS), "")
        work, seed = table.get("work", "build"), table.get(SEED_KEY, 0)
        if not isinstance(work, str) or not work:
            raise self._invalid_value("work", work, "the name of a folder")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise self._invalid_value(SEED_KEY, seed, "a whole number of at least 0")
        sections = {
            name: self._read_section(name, table[name], seed)
            for name in SECTION_SPECS
            if name in table and not SECTION_SPECS[name].per_subcommand
        }
        data: Any = self._validate("data", DataSection, table.get("data", {}))
        mlflow: Any = self._fixed_section("mlflow", table)
        wandb: Any = self._fixed_section("wandb", table)
        return PipelineConfig(
            work=self.path.parent / work,
            seed=seed,
            data=self._resolve_data_paths(data),
            sections=sections,
            engines=self._read_engines(table.get("engines", {}), seed),
            mlflow=mlflow,
            wandb=wandb,
        )

    def _fixed_section(self, name: str, table: TomlTable) -> BaseModel | None:
        return self._validate(name, FIXED_SECTIONS[name], table[name]) if name in table else None

    def _resolve_data_paths(self, data: DataSection) -> DataSection:
        files = [data.ratings] if isinstance(data.ratings, str) else data.ratings
        return DataSection(
            ratings=None if files is None else [self._resolve_path(file) for file in files],
            catalogue=None if data.catalogue is None else self._resolve_path(data.catalogue),
        )

    def _read_section(self, name: str, table: object, seed: int) -> dict[str, OptionValue]:
        choices, chosen = self._subcommands(name), None
        if choices:
            chosen = table.get(SERVICE_KEY) if isinstance(table, dict) else None
            if chosen not in choices:
                raise self._invalid_value(
                    f"{name}.{SERVICE_KEY}", chosen, f"one of {', '.join(choices)}"
                )
        return self._read_options(name, name, chosen, table, seed)

    def _read_engines(self, table: object, seed: int) -> dict[str, dict[str, OptionValue]]:
        if not table:
            return {}
        if not isinstance(table, dict):
            raise self._invalid_value("engines", table, "tables such as [engines.als]")
        self._check_keys(table, self._subcommands("engines"), "engines.")
        return {
            name: self._read_options("engines", f"engines.{name}", name, options, seed)
            for name, options in table.items()
        }

    def _read_options(
        self, section: str, where: str, chosen: str | None, table: object, seed: int
    ) -> dict[str, OptionValue]:
        model = self._validate(where, section_model(section, chosen), table)
        found: dict[str, OptionValue] = model.model_dump(exclude_none=True)
        options = section_options(section, chosen)
        if SEED_KEY in options:
            found.setdefault(SEED_KEY, seed)
        for key, value in found.items():
            if key in PATH_OPTIONS or (key in options and options[key].is_path):
                found[key] = (
                    [self._resolve_path(str(each)) for each in value]
                    if isinstance(value, list)
                    else self._resolve_path(str(value))
                )
        return found

    def _subcommands(self, name: str) -> tuple[str, ...]:
        try:
            return section_subcommands(name)
        except InputError as error:
            raise InputError(f"{self.path}: [{name}]: {error}") from None

    def _resolve_path(self, text: str) -> str:
        """A path relative to the file; addresses stay what they are."""
        return text if "://" in text or text == BUNDLED else str(self.path.parent / text)

    def _validate(self, where: str, model: type[BaseModel], table: object) -> BaseModel:
        if not isinstance(table, dict):
            raise self._invalid_value(where, table, f"a table, as [{where}]")
        self._check_keys(table, model.model_fields, f"{where}.")
        try:
            return model.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            key, value = str(first["loc"][0]), table[str(first["loc"][0])]
            if first["type"] == "value_error":
                told = str(first["msg"]).removeprefix("Value error, ")
                raise InputError(f"{self._key_origin(f'{where}.{key}')}: {told}.") from None
            words = str(first["msg"]).removeprefix("Input should be ")
            expected = EXPECTED_TYPES.get(str(first["type"]), words)
            raise self._invalid_value(f"{where}.{key}", value, expected) from None

    def _check_keys(
        self, table: TomlTable, keys: Sequence[str] | Mapping[str, Any], where: str
    ) -> None:
        for key in table:
            if key not in keys:
                near = difflib.get_close_matches(key.replace("-", "_"), [*keys], 1, 0.6)
                meant = f"did you mean {near[0]}?" if near else f"expected {', '.join(keys)}."
                raise InputError(f"{self._key_origin(where + key)} is not known; {meant}")

    def _invalid_value(self, key: str, value: object, expected: str) -> InputError:
        if value is None:
            return InputError(f"{self._key_origin(key)} is missing; expected {expected}.")
        shown = json.dumps(value, default=str, ensure_ascii=False)
        return InputError(f"{self._key_origin(key)} is {shown}; expected {expected}.")

    def _key_origin(self, key: str) -> str:
        """Where a key was said: in the file, or in an override of it or of one beneath."""
        for dotted, text in self.overrides.items():
            if dotted == key or dotted.startswith(f"{key}."):
                return f"--set {text}: {key}"
        return f"{self.path}: {key}"
