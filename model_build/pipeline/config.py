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

from model_build.errors import InputError
from model_build.pipeline.options import Value
from model_build.pipeline.sections import (
    BUNDLED,
    FIXED,
    SECTIONS,
    SERVICE,
    Data,
    MLflow,
    Wandb,
    below,
    model_of,
    options_of,
)

Table = dict[str, Any]
PLACES = ("to", "pretrained")
"""Options that are a directory or an address."""
SEED = "seed"
EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text in quotes",
    "list_type": "a list",
    "dict_type": "a table",
}


@dataclass(frozen=True, slots=True)
class Config:
    """What is to be built, and how.

    ``sections`` has those that stand in the file, by name, with the options that they set: paths
    are relative to the file's folder. ``engines`` has their options by name, in their order.
    """

    work: Path
    seed: int
    data: Data
    sections: dict[str, dict[str, Value]]
    engines: dict[str, dict[str, Value]]
    mlflow: MLflow | None
    wandb: Wandb | None


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
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
        key = _override(table, override)
        said[key] = override
    return _Reader(path, said).config(table)


def _override(table: Table, text: str) -> str:
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
class _Reader:
    path: Path
    said: Mapping[str, str]

    def config(self, table: Table) -> Config:
        self._known(table, ("work", SEED, *SECTIONS, *FIXED), "")
        work, seed = table.get("work", "build"), table.get(SEED, 0)
        if not isinstance(work, str) or not work:
            raise self._wrong("work", work, "the name of a folder")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise self._wrong(SEED, seed, "a whole number of at least 0")
        sections = {
            name: self._section(name, table[name], seed)
            for name in SECTIONS
            if name in table and not SECTIONS[name].keyed
        }
        data: Any = self._checked("data", Data, table.get("data", {}))
        mlflow: Any = self._fixed("mlflow", table)
        wandb: Any = self._fixed("wandb", table)
        return Config(
            work=self.path.parent / work,
            seed=seed,
            data=self._placed(data),
            sections=sections,
            engines=self._engines(table.get("engines", {}), seed),
            mlflow=mlflow,
            wandb=wandb,
        )

    def _fixed(self, name: str, table: Table) -> BaseModel | None:
        return self._checked(name, FIXED[name], table[name]) if name in table else None

    def _placed(self, data: Data) -> Data:
        files = [data.ratings] if isinstance(data.ratings, str) else data.ratings
        return Data(
            ratings=None if files is None else [self._place(file) for file in files],
            catalogue=None if data.catalogue is None else self._place(data.catalogue),
        )

    def _section(self, name: str, table: object, seed: int) -> dict[str, Value]:
        choices, chosen = self._below(name), None
        if choices:
            chosen = table.get(SERVICE) if isinstance(table, dict) else None
            if chosen not in choices:
                raise self._wrong(f"{name}.{SERVICE}", chosen, f"one of {', '.join(choices)}")
        return self._options(name, name, chosen, table, seed)

    def _engines(self, table: object, seed: int) -> dict[str, dict[str, Value]]:
        if not table:
            return {}
        if not isinstance(table, dict):
            raise self._wrong("engines", table, "tables such as [engines.als]")
        self._known(table, self._below("engines"), "engines.")
        return {
            name: self._options("engines", f"engines.{name}", name, options, seed)
            for name, options in table.items()
        }

    def _options(
        self, section: str, where: str, chosen: str | None, table: object, seed: int
    ) -> dict[str, Value]:
        model = self._checked(where, model_of(section, chosen), table)
        found: dict[str, Value] = model.model_dump(exclude_none=True)
        options = options_of(section, chosen)
        if SEED in options:
            found.setdefault(SEED, seed)
        for key, value in found.items():
            if key in PLACES or (key in options and options[key].is_path):
                found[key] = (
                    [self._place(str(each)) for each in value]
                    if isinstance(value, list)
                    else self._place(str(value))
                )
        return found

    def _below(self, name: str) -> tuple[str, ...]:
        try:
            return below(name)
        except InputError as error:
            raise InputError(f"{self.path}: [{name}]: {error}") from None

    def _place(self, text: str) -> str:
        """A path relative to the file; addresses stay what they are."""
        return text if "://" in text or text == BUNDLED else str(self.path.parent / text)

    def _checked(self, where: str, model: type[BaseModel], table: object) -> BaseModel:
        if not isinstance(table, dict):
            raise self._wrong(where, table, f"a table, as [{where}]")
        self._known(table, model.model_fields, f"{where}.")
        try:
            return model.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            key, value = str(first["loc"][0]), table[str(first["loc"][0])]
            if first["type"] == "value_error":
                told = str(first["msg"]).removeprefix("Value error, ")
                raise InputError(f"{self._named(f'{where}.{key}')}: {told}.") from None
            words = str(first["msg"]).removeprefix("Input should be ")
            expected = EXPECTED.get(str(first["type"]), words)
            raise self._wrong(f"{where}.{key}", value, expected) from None

    def _known(self, table: Table, keys: Sequence[str] | Mapping[str, Any], where: str) -> None:
        for key in table:
            if key not in keys:
                near = difflib.get_close_matches(key.replace("-", "_"), [*keys], 1, 0.6)
                meant = f"did you mean {near[0]}?" if near else f"expected {', '.join(keys)}."
                raise InputError(f"{self._named(where + key)} is not known; {meant}")

    def _wrong(self, key: str, value: object, expected: str) -> InputError:
        if value is None:
            return InputError(f"{self._named(key)} is missing; expected {expected}.")
        shown = json.dumps(value, default=str, ensure_ascii=False)
        return InputError(f"{self._named(key)} is {shown}; expected {expected}.")

    def _named(self, key: str) -> str:
        """Where a key was said: in the file, or in an override of it or of one beneath."""
        for dotted, text in self.said.items():
            if dotted == key or dotted.startswith(f"{key}."):
                return f"--set {text}: {key}"
        return f"{self.path}: {key}"
