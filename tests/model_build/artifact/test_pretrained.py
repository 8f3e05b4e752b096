"""Models that are fetched, and models that are annotated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.recommender.artifact import MANIFEST_FILE, open_artifact, read_manifest
from model_build.cli import main
from tests.model_build.places import PlaceForModels
from tests.models import flip, version_of

Capture = pytest.CaptureFixture[str]
MEASURES = {"ndcg@10": 0.5, "new_ndcg@10": None, "ci": {"ndcg@10": [0.4, 0.6]}, "users": 12}


@pytest.fixture
def filled(place: PlaceForModels, tiny_model: Path, tmp_path: Path) -> PlaceForModels:
    """Two versions, of which the second is live."""
    for number in (1, 2):
        model = version_of(tiny_model, tmp_path / f"m{number}", f"v{number}")
        for file in model.iterdir():
            place.put(f"v{number}/{file.name}", file.read_bytes())
    place.put("latest", b"v2\n")
    return place


def fetch(source: object, out: Path, *options: str) -> int:
    return main(["fetch", "--from", str(source), "--out", str(out), *options])


def refused(capsys: Capture, status: int) -> str:
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    return str(line)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_live_version_or_the_named_one_is_fetched_whole(
    filled: PlaceForModels, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "model"
    assert fetch(filled.url, out) == 0
    assert content(out) == content(tmp_path / "m2")
    assert fetch(filled.url, out, "--version", "v1") == 0
    assert content(out) == content(tmp_path / "m1")
    assert [file.name for file in out.parent.iterdir()] == ["model"], "no copy is left"


def test_a_damaged_model_is_not_fetched_and_nothing_is_lost(
    filled: PlaceForModels, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out" / "model"
    assert fetch(filled.url, out, "--version", "v1") == 0
    damaged = bytearray(filled.files()["v2/item_bias.npy"])
    damaged[-1] ^= 1
    filled.put("v2/item_bias.npy", bytes(damaged))
    assert "item_bias.npy" in refused(capsys, fetch(filled.url, out))
    assert content(out) == content(tmp_path / "m1")


def test_what_is_not_there_and_what_stands_in_the_way_are_told(
    filled: PlaceForModels, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    line = refused(capsys, fetch(filled.url, out, "--version", "v9"))
    assert "v9" in line
    assert line.endswith("publish a model there or correct the address.")
    assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "is not a model" in refused(capsys, fetch(filled.url, out))
    assert content(out) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("source", ["ftp://host/models", "gs://"])
def test_what_is_no_place_is_told_by_the_option(
    tmp_path: Path, capsys: Capture, source: str
) -> None:
    assert f"--from {source!r}" in refused(capsys, fetch(source, tmp_path / "out"))


def annotate(model: Path, measures: Path, out: Path) -> int:
    files = ["--model", str(model), "--metrics", str(measures), "--out", str(out)]
    return main(["annotate", *files])


def test_measures_are_written_into_a_model_and_nothing_else_differs(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "measures.json").write_text(json.dumps(MEASURES))
    earlier = {"als_loss": 2.0, "ndcg@10": 0.1, "new_ndcg@10": 0.9, "rmse": 1.0}
    first = version_of(tiny_model, tmp_path / "m", "v1", metrics=earlier)
    out = tmp_path / "out"
    assert annotate(first, tmp_path / "measures.json", out) == 0
    before, after = open_artifact(first), open_artifact(out)
    assert after.manifest.metrics == {"als_loss": 2.0, "ndcg@10": 0.5, "users": 12.0}
    assert json.loads((out / "measures.json").read_text("utf-8")) == MEASURES
    card = (out / "MODEL_CARD.md").read_text("utf-8")
    assert card.startswith(f"# Model {after.manifest.version}\n")
    assert "| ndcg@10 | 0.5 |" in card
    assert (out / "notes.txt").read_bytes() == b"v1"
    changed = {"MODEL_CARD.md", "measures.json"}
    for name in before.manifest.files.keys() - changed:
        assert after.manifest.files[name] == before.manifest.files[name]
    assert after.manifest.version != before.manifest.version
    same = ("created", "dataset", "counts", "hyperparameters")
    assert all(getattr(after.manifest, k) == getattr(before.manifest, k) for k in same)


def test_other_measures_make_another_version(tiny_model: Path, tmp_path: Path) -> None:
    versions = set()
    for value in (0.5, 0.6, 0.5):
        (tmp_path / "measures.json").write_text(json.dumps(MEASURES | {"ndcg@10": value}))
        assert annotate(tiny_model, tmp_path / "measures.json", tmp_path / "out") == 0
        versions.add(read_manifest(tmp_path / "out").version)
    assert len(versions) == 2
    day = {version.partition("-")[0] for version in versions}
    assert day == {read_manifest(tiny_model).version.partition("-")[0]}


def test_what_is_no_model_and_no_measures_is_refused(
    tiny_model: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "measures.json").write_text("[1]")
    line = refused(capsys, annotate(tiny_model, tmp_path / "measures.json", tmp_path / "out"))
    assert "expected one JSON object of numbers, as evaluate --json prints" in line
    (tmp_path / "measures.json").write_text("{}")
    line = refused(capsys, annotate(tmp_path, tmp_path / "measures.json", tmp_path / "out"))
    assert MANIFEST_FILE in line
    copy = version_of(tiny_model, tmp_path / "copy", "v1")
    flip(copy / "item_bias.npy", 200)
    assert "sha256" in refused(capsys, annotate(copy, tmp_path / "measures.json", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
