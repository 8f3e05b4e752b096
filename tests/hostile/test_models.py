"""Models whose hashes are right and whose content means harm: refused before anybody is answered.

Each is tried where it would come in: opened, published, and swapped in under a server.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import requests

from app.catalogue import Catalogue
from app.recommender import ArtifactError, Model
from app.recommender.artifact import CATALOGUE_FILE, MANIFEST_FILE
from app.recommender.trial import try_model
from app.settings import AppSettings
from app.web.presenters.trial import try_pages
from app.web.services.library import DataProviders, load_library
from model_build.cli import main
from tests.web.server import at, running_hakken

Array = npt.NDArray[Any]
Change = Callable[[Path], None]


def sealed(model: Path, folder: Path, change: Change) -> Path:
    """A copy with something changed and hashes that are right again."""
    shutil.copytree(model, folder)
    change(folder)
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    manifest["version"] = f"{manifest['version']}-changed"
    for name, entry in manifest["files"].items():
        if not (folder / name).is_file():
            continue
        content = (folder / name).read_bytes()
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        if name.endswith(".npy"):
            array = np.load(folder / name, mmap_mode="r")
            entry |= {"dtype": array.dtype.str, "shape": list(array.shape)}
    manifest["digest"] = "0" * 64
    text = json.dumps(manifest)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / MANIFEST_FILE).write_text(text.replace("0" * 64, digest), "utf-8")
    return folder


def array(name: str, edit: Callable[[Array], Array | None]) -> Change:
    """Change an array, in place or for the one that is returned."""

    def change(folder: Path) -> None:
        old = np.load(folder / f"{name}.npy")
        new = edit(old)
        np.save(folder / f"{name}.npy", old if new is None else new)

    return change


def fill(name: str, place: int | slice, value: object) -> Change:
    def edit(old: Array) -> None:
        old[place] = value

    return array(name, edit)


def offsets(name: str, *, end: bool) -> Change:
    """Offsets of which no difference is below 0, as these wrap around."""

    def edit(old: Array) -> None:
        old[1:4] = 2**62, 2**63 - 1, -(2**62)
        if end:
            old[-1] = 2**62

    return array(f"{name}_indptr", edit)


def manifest(**values: Any) -> Change:
    def change(folder: Path) -> None:
        told = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        for name, value in values.items():
            told[name] = {**told[name], **value} if isinstance(value, dict) else value
        (folder / MANIFEST_FILE).write_text(json.dumps(told), "utf-8")

    return change


def catalogue(**columns: object) -> Change:
    """Change the first value of columns of the catalogue."""

    def change(folder: Path) -> None:
        told = json.loads(gzip.decompress((folder / CATALOGUE_FILE).read_bytes()))
        for name, value in columns.items():
            told[name][0] = value
        (folder / CATALOGUE_FILE).write_bytes(gzip.compress(json.dumps(told).encode()))

    return change


def content(name: str, data: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(data) and None


def pipe(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


HARMFUL: dict[str, Change] = {
    "offsets that wrap": offsets("affinity", end=False),
    "offsets that wrap, to the end": offsets("affinity", end=True),
    "offsets of similarities that wrap": offsets("score_model_similarity", end=False),
    "offsets that do not begin at 0": fill("affinity_indptr", 0, 1),
    "offsets that fall": fill("short_history_indptr", 3, -1),
    "columns beyond the last": fill("affinity_indices", 0, 60),
    "weights that are none": array("item_bias", lambda old: old * np.nan),
    "a bias of 1e300": fill("item_bias", 0, 1e300),
    "a bias without end": fill("item_relevance", 0, np.inf),
    "factors without end": array("score_model_item_factors", lambda old: np.full_like(old, np.inf)),
    "anime ids that wrap": array(
        "anime_id", lambda old: np.r_[old[:-1], np.array([-(2**31)], old.dtype)]
    ),
    "an anime id of 0": fill("anime_id", 0, 0),
    "positions that wrap": fill("score_model_factor_position", 1, -5),
    "one array too short": array("entry_count", lambda old: old[:-1]),
    "objects for numbers": array("rating_count", lambda old: old.astype(np.float32)),
    "numbers that are none": manifest(hyperparameters={"global_mean": float("nan")}),
    "numbers without end": manifest(hyperparameters={"global_mean": 1e300}),
    "whole numbers without end": manifest(hyperparameters={"k": 10**400}),
    "metrics that are none": manifest(metrics={"rmse": float("nan"), "users": float("inf")}),
    "a version of another folder": manifest(version="../x"),
    "files of another folder": manifest(files={"../x.npy": {"sha256": "0" * 64, "bytes": 1}}),
    "a lone surrogate in a title": catalogue(title="\ud800"),
    "a number for a title": catalogue(title=5),
    "no title": catalogue(title=None),
    "a year of 10^30": catalogue(year=10**30),
    "a rating that is none": catalogue(age_rating="everyone"),
    "genres as a list": catalogue(genres=["a"]),
    "a picture that is none": catalogue(picture=7),
    "an anime id in the catalogue of 2^63": catalogue(anime_id=2**63),
    "a mean of infinity": catalogue(mean=float("inf")),
    "a title of megabytes": catalogue(title="a" * 3_000_000),
    "a catalogue that unpacks to far more": content(CATALOGUE_FILE, gzip.compress(b" " * 2**27)),
    "a catalogue cut off": content(CATALOGUE_FILE, gzip.compress(b"{}")[:-4]),
    "a catalogue that nests": content(CATALOGUE_FILE, gzip.compress(b"[" * 1_000_000)),
    "no catalogue": content(CATALOGUE_FILE, b""),
    "a catalogue of objects": content(
        CATALOGUE_FILE, gzip.compress(b'{"anime_id":[{}],"title":[[]]}')
    ),
    "a pipe for an array": pipe("item_bias.npy"),
    "a pipe for a catalogue": pipe(CATALOGUE_FILE),
}


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> DataProviders:
    return DataProviders(AppSettings(cache_dir=tmp_path_factory.mktemp("cache")), "1")


def open_to_publish(model: Path) -> None:
    """What `publish` does before it writes anything."""
    opened = Model.open(model)
    Catalogue.open(opened.catalogue_path)
    try_model(opened)


def test_sealing_alone_harms_nothing(
    tiny_model: Path, providers: DataProviders, tmp_path: Path
) -> None:
    same = sealed(tiny_model, tmp_path / "model", lambda _: None)
    try_pages(load_library(same, providers))
    open_to_publish(same)


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_harmful_model_is_refused_in_a_sentence(
    kind: str, tiny_model: Path, providers: DataProviders, tmp_path: Path
) -> None:
    harmful = sealed(tiny_model, tmp_path / "model", HARMFUL[kind])
    with pytest.raises(ArtifactError) as served:
        try_pages(load_library(harmful, providers))
    with pytest.raises(ArtifactError) as published:
        open_to_publish(harmful)
    for error in (served, published):
        assert len(str(error.value)) < 600
        assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    "kind", ["offsets that wrap", "a lone surrogate in a title", "a pipe for an array"]
)
def test_a_harmful_model_is_not_published(
    kind: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harmful = sealed(tiny_model, tmp_path / "model", HARMFUL[kind])
    store = tmp_path / "store"
    store.mkdir()
    assert main(["publish", "--model", str(harmful), "--to", str(store)]) != 0
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.count("\n") <= 2
    assert list(store.iterdir()) == []


MEASURES = {
    "deep": b'{"ci":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "none": b'{"ci":{"rmse":[NaN,1e400]},"calibration":[{"pairs":-1}]}',
    "large": b'{"ci":{"rmse":[1e300,1e300]},"by_length":{"5":{"users":1e300}}}',
    "text": b"\xff\xfe",
}


@pytest.mark.parametrize("kind", MEASURES)
def test_measures_that_nobody_can_read_are_not_shown(
    kind: str, tiny_model: Path, providers: DataProviders, tmp_path: Path
) -> None:
    def change(folder: Path) -> None:
        (folder / "measures.json").write_bytes(MEASURES[kind])
        manifest(files={"measures.json": {"sha256": "0" * 64, "bytes": 1}})(folder)

    try_pages(load_library(sealed(tiny_model, tmp_path / "model", change), providers))


@pytest.mark.parametrize("text", ["[" * 100_000, "{}" + " " * 5_000_000, "\x00", '{"format":NaN}'])
def test_a_manifest_that_nobody_can_read_is_refused(
    text: str, tiny_model: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / MANIFEST_FILE).write_text(text, "utf-8")
    with pytest.raises(ArtifactError):
        Model.open(model)
    (model / MANIFEST_FILE).unlink()
    os.mkfifo(model / MANIFEST_FILE)
    with pytest.raises(ArtifactError, match="not a plain file"):
        Model.open(model)


def test_a_swap_to_a_harmful_model_changes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(tiny_model, models / "good")
    live = models / "live"
    live.symlink_to("good")
    with running_hakken(at(live, tmp_path / "cache") | {"WEB_CONCURRENCY": "1"}) as server:
        # A worker that answers has its signals set up.
        assert requests.get(server.url + "/", timeout=120).status_code == 200
        (worker,) = server.workers()
        for number, kind in enumerate(
            ("offsets that wrap", "a lone surrogate in a title", "a pipe for a catalogue"), 1
        ):
            sealed(tiny_model, models / f"bad{number}", HARMFUL[kind])
            (models / "next").symlink_to(f"bad{number}")
            (models / "next").rename(live)
            worker.send_signal(signal.SIGHUP)
            server.wait_for("the model cannot be renewed", times=number)
            for path in ("/", "/example", "/about", "/api/v1/anime?search=anime"):
                assert requests.get(server.url + path, timeout=120).status_code == 200, kind
        assert [each.pid for each in server.workers()] == [worker.pid]
