"""Whether a Python runs Hakken: run by scripts/check_python, where what trains is installed."""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import ModuleType

import numpy as np

import app
import model_build
from benchmarks.run_server import ROOT, run_server

OF_OTHER_EXTRAS = {"torch", "surprise", "mlflow", "wandb", None}
"""Missing modules that are no fault; an error of our own that says what to install names none."""

STARTS = (".__main__", ".wsgi")
"""Modules that run when they are imported."""

DUMP = ("--dataset", "hernan2020", "--ratings", "10000", "--fans", "200", "--anime", "200")


def main() -> None:
    """Import everything, train on made-up ratings, serve the model and ask it."""
    start = time.perf_counter()
    names = [*modules(app), *modules(model_build)]
    imported = sum(imports(name) for name in names)
    with tempfile.TemporaryDirectory() as folder:
        picks = recommended(trained(Path(folder)))
    print(
        f"Python {platform.python_version()}: {imported} modules imported, "
        f"{len(names) - imported} of other extras left out; a model trained and served, "
        f"{picks} recommendations; {time.perf_counter() - start:.0f} s"
    )


def modules(package: ModuleType) -> list[str]:
    """The package and all that is in it, but STARTS."""
    name = package.__name__
    found = (each.name for each in pkgutil.walk_packages(package.__path__, f"{name}."))
    return [name, *(each for each in found if not each.endswith(STARTS))]


def imports(name: str) -> bool:
    """Whether a module can be imported; False if it needs what another extra brings."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in OF_OTHER_EXTRAS:
            raise
        return False
    return True


def trained(folder: Path) -> Path:
    """A small model, from a made-up dump that is cleaned first."""
    dump, prepared, model = (str(folder / name) for name in ("dump", "prepared", "model"))
    run("benchmarks.generate", *DUMP, "--out", dump)
    run("model_build", "prepare", "--dataset", "hernan2020", "--from", dump, "--out", prepared)
    run("model_build", "train", "--ratings", prepared, "--out", model)
    return Path(model)


def run(module: str, *arguments: str) -> None:
    """A command of the project; its words are shown only if it fails."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def recommended(model: Path) -> int:
    """How many anime a server of the model recommends to somebody who loved three of them."""
    loved = np.load(model / "anime_id.npy")[:3].tolist()
    rows = [{"anime_id": anime_id, "score": 10} for anime_id in loved]
    with run_server(1, {"HAKKEN_MODEL": str(model)}) as server:
        asked = urllib.request.Request(
            f"{server.url}/api/v1/recommendations",
            json.dumps({"list": rows, "top": 10}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as reply:
            picks = json.load(reply)["recommendations"]
    if not picks:
        sys.exit("nothing was recommended")
    return len(picks)


if __name__ == "__main__":
    main()
