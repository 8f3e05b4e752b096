"""Further models made from a real one, for tests that need several."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from app.recommender import Model
from app.recommender.artifact import MANIFEST_FILE, read_manifest, serialize_manifest
from model_build.data.catalogue import encode_catalogue


def version_of(
    model: Path, folder: Path, version: str, *, notes: bytes = b"", **changes: Any
) -> Path:
    """A copy of ``model`` in ``folder`` under another version, with a file of its own."""
    shutil.copytree(model, folder)
    manifest = read_manifest(model)
    content = notes or version.encode()
    (folder / "notes.txt").write_bytes(content)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    data = manifest.model_dump()
    data |= {"version": version, "files": {**data["files"], "notes.txt": facts}, **changes}
    (folder / MANIFEST_FILE).write_text(
        serialize_manifest(type(manifest).model_validate(data)), "utf-8"
    )
    return folder


def with_catalogue(model: Path, catalogue: pl.DataFrame, folder: Path) -> Path:
    """A copy of ``model`` in ``folder`` with another catalogue."""
    manifest = read_manifest(model)
    anime_id = np.load(model / "anime_id.npy")
    content = encode_catalogue(catalogue, anime_id)
    shutil.copytree(model, folder)
    name = Model.open(model).catalogue_path.name
    (folder / name).write_bytes(content)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    data = manifest.model_dump()
    data |= {"files": {**data["files"], name: facts}}
    (folder / MANIFEST_FILE).write_text(
        serialize_manifest(type(manifest).model_validate(data)), "utf-8"
    )
    return folder


def flip(file: Path, at: int, bit: int = 0) -> None:
    """Flip one bit of a file, in a new file of the same name."""
    content = bytearray(file.read_bytes())
    content[at % len(content)] ^= 1 << bit
    file.unlink()
    file.write_bytes(content)
