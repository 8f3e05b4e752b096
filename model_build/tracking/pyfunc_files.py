"""What beside a model's files makes a folder one that `mlflow.pyfunc.load_model` loads.

Written as MLflow's storage format describes it, since its own writer asks for pandas. The code goes
along, so the model loads where Hakken is not, with the packages of requirements.txt.
"""

from __future__ import annotations

import json
import platform
import shutil
import tomllib
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOADER = "model_build.interface.pyfunc"
PACKAGES = ("app", "model_build")
NO_CODE = ("bundled_model", "static")
"""What is in the package once installed, and not needed here."""
INPUTS = (("anime_id", "long", True), ("score", "any", False), ("status", "any", False))
"""Columns of a list, their types, and which are needed; the recommender checks the values."""
PARAMETERS = (
    ("top", "long", 20),
    ("order", "string", "match"),
    ("engine", "string", "hakken"),
    ("adult", "boolean", False),
)


def write_pyfunc_files(folder: Path, mlflow_version: str) -> None:
    """Write description, requirements and code into a folder."""
    folder.mkdir(exist_ok=True)
    python = platform.python_version()
    flavor = {
        "loader_module": LOADER,
        "python_version": python,
        "code": "code",
        "env": {"virtualenv": "python_env.yaml"},
    }
    described = {
        "flavors": {"python_function": flavor},
        "mlflow_version": mlflow_version,
        "signature": _signature(),
        "utc_time_created": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}",
    }
    environment = {"python": python, "dependencies": ["-r requirements.txt"]}
    for name, content in (("MLmodel", described), ("python_env.yaml", environment)):
        (folder / name).write_text(json.dumps(content, indent=1), "utf-8")  # which is YAML, too
    (folder / "requirements.txt").write_text("\n".join(_requirements()) + "\n", "utf-8")
    ignored = shutil.ignore_patterns("__pycache__", *NO_CODE)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / "code" / package, ignore=ignored)


def _signature() -> dict[str, str]:
    inputs = [{"name": name, "type": kind, "required": required} for name, kind, required in INPUTS]
    parameters = [
        {"name": name, "type": kind, "default": default, "shape": None}
        for name, kind, default in PARAMETERS
    ]
    return {"inputs": json.dumps(inputs), "params": json.dumps(parameters)}


def _requirements() -> list[str]:
    """What a loaded model needs: what trains, and pandas, which MLflow hands lists in."""
    file = ROOT / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        extras = {"": project["dependencies"], **project["optional-dependencies"]}
        found = [(extra, line) for extra, lines in extras.items() for line in lines]
    else:  # installed
        parts = [line.partition(";") for line in metadata.requires("hakken") or ()]
        found = [(condition.partition("==")[2].strip("' \""), line) for line, _, condition in parts]
    return [
        line.strip()
        for extra, line in found
        if extra in ("", "build") or (extra == "dev" and line.startswith("pandas"))
    ]
