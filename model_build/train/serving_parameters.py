"""The file of serving parameters: what ``calibrate`` writes and ``train --parameters`` reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import ValidationError

from app.recommender.atomic_writes import write_text_atomically
from app.recommender.parameters import ServingParameters
from model_build.util.errors import InputError, first_error

DEFAULT_FILE = Path(__file__).with_name("parameters.json")


@cache
def default_parameters() -> ServingParameters:
    """Those in force where a training is given no others."""
    return read_parameters(DEFAULT_FILE)


def read_parameters(path: Path) -> ServingParameters:
    """Read and check a file of parameters."""
    try:
        return ServingParameters.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        found = first_error(error, "expected parameters as calibrate writes them")
        raise InputError(f"{path}: {found}.") from None


def write_parameters(path: Path, parameters: ServingParameters) -> None:
    """Write the file in one step."""
    write_text_atomically(path, parameters.model_dump_json(indent=2) + "\n")
