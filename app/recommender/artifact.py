"""The model on disk: plain arrays, a catalogue and a manifest that vouches for every byte.

A model is one directory. ``manifest.json`` names each file with its size and sha256 and each array
with its dtype and shape; nothing is pickled, arrays are mapped read-only so that the workers of a
host share them. The directory is written beside its final place and put there whole, so one that
opens is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.recommender.replacing import replacing, sync

FORMAT: Final = 2
MANIFEST = "manifest.json"
CATALOGUE = "catalogue.json.gz"
MEASURES = "measures.json"
"""Optional: all that was measured when the model was made, tables and intervals included."""
_NO_DIGEST: Final = "0" * 64

Array = npt.NDArray[Any]


class ArtifactError(Exception):
    """A model directory that cannot be used; the message names the file and what is wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileFacts(_Strict):
    """What a file must be: its size and digest, and for arrays dtype and shape."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]
    dtype: str | None = None
    shape: tuple[int, ...] | None = None


class Dataset(_Strict):
    """What the model was trained on."""

    name: str
    fingerprint: str


class Manifest(_Strict):
    """``manifest.json``.

    ``digest`` is the sha256 of the file itself, taken with zeros in its own place: everything else
    is vouched for by the manifest, and nothing else vouches for that. Older files have none.
    """

    format: Literal[2]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    created: str
    dataset: Dataset
    counts: dict[str, int]
    hyperparameters: dict[str, float | int | str]
    metrics: dict[str, float]
    files: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9]+)+$")], FileFacts]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """An opened model directory: its manifest and its arrays by name, read-only."""

    path: Path
    manifest: Manifest
    arrays: Mapping[str, Array]

    @property
    def catalogue_path(self) -> Path:
        return self.path / CATALOGUE


def read_manifest(path: Path) -> Manifest:
    """Read and check ``path/manifest.json`` without looking at the other files."""
    file = path / MANIFEST
    try:
        text = file.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(f"{file}: not found, so {path} holds no model.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{file}: cannot be read ({error}).") from None
    return parse_manifest(text, file)


def parse_manifest(text: str, origin: Path | str) -> Manifest:
    """Parse a manifest; ``origin`` is what an error message calls it."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ArtifactError(f"{origin}: not JSON ({error}).") from None
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise ArtifactError(
            f"{origin}: format {found!r}, but this Hakken reads format {FORMAT}; "
            "rebuild the model or deploy the matching version."
        )
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"{origin}: {where}: {first['msg']}.") from None
    if manifest.digest is not None:
        found = _digest(text.replace(manifest.digest, _NO_DIGEST))
        if found != manifest.digest:
            raise ArtifactError(
                f"{origin}: its digest is {found}, the file itself says {manifest.digest}; "
                "it was damaged or edited: restore it, or write the model again."
            )
    return manifest


def manifest_text(manifest: Manifest) -> str:
    """The content of ``manifest.json``, with its digest."""
    data = {**manifest.model_dump(exclude_none=True), "digest": _NO_DIGEST}
    text = json.dumps(data, indent=2) + "\n"
    return text.replace(_NO_DIGEST, _digest(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def open_artifact(path: Path) -> Artifact:
    """Open a model directory, checking every file against the manifest.

    Raises:
        ArtifactError: the format is unknown, or a file is missing or is not what was written.
    """
    manifest = read_manifest(path)
    if CATALOGUE not in manifest.files:
        raise ArtifactError(f"{path / MANIFEST}: lists no {CATALOGUE}, so the model has no titles.")
    arrays = {}
    for name, facts in manifest.files.items():
        verify_file(path / name, facts)
        if name.endswith(".npy"):
            arrays[name.removesuffix(".npy")] = _open_array(path / name, facts)
    return Artifact(path, manifest, arrays)


def verify_file(file: Path, facts: FileFacts) -> None:
    """Compare size and sha256 of a file with its manifest entry."""
    try:
        size = file.stat().st_size
        if size != facts.bytes:
            raise ArtifactError(f"{file}: {size} bytes, the manifest says {facts.bytes}.")
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise ArtifactError(f"{file}: missing, but the manifest lists it.") from None
    _compare(file, digest, facts)


def verify_bytes(file: Path, content: bytes, facts: FileFacts) -> None:
    """The same for the content of a file that was read already."""
    _compare(file, hashlib.sha256(content).hexdigest(), facts)


def _compare(file: Path, digest: str, facts: FileFacts) -> None:
    if digest != facts.sha256:
        raise ArtifactError(f"{file}: sha256 is {digest}, the manifest says {facts.sha256}.")


def _open_array(file: Path, facts: FileFacts) -> Array:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{file}: not a plain .npy array ({error}).") from None
    if array.dtype.str != facts.dtype or array.shape != facts.shape:
        raise ArtifactError(
            f"{file}: {array.dtype.str}{array.shape}, the manifest says {facts.dtype}{facts.shape}."
        )
    # A plain view: numpy.memmap's own indexing is slower and numba does not know the type.
    return np.asarray(array)


def write_artifact(
    path: Path,
    *,
    version: str,
    created: str,
    dataset: Dataset,
    counts: Mapping[str, int],
    hyperparameters: Mapping[str, float | int | str],
    metrics: Mapping[str, float],
    arrays: Mapping[str, Array],
    catalogue: bytes,
    documents: Mapping[str, str] | None = None,
) -> Manifest:
    """Write a model directory in one step: whole, or not at all.

    ``documents`` are further text files (a model card). An existing model at ``path`` is replaced;
    anything else that stands there is left alone and refused.
    """
    refuse_foreign_directory(path)
    files = {}
    with replacing(path) as new:
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            np.save(new / f"{name}.npy", array, allow_pickle=False)
            files[f"{name}.npy"] = _facts(new / f"{name}.npy", array)
        (new / CATALOGUE).write_bytes(catalogue)
        files[CATALOGUE] = _facts(new / CATALOGUE)
        for name, text in (documents or {}).items():
            (new / name).write_text(text, "utf-8")
            files[name] = _facts(new / name)
        manifest = Manifest(
            format=FORMAT,
            version=version,
            created=created,
            dataset=dataset,
            counts=dict(counts),
            hyperparameters=dict(hyperparameters),
            metrics=dict(metrics),
            files=files,
        )
        (new / MANIFEST).write_text(manifest_text(manifest), "utf-8")
        sync(new / MANIFEST)
    return manifest


def refuse_foreign_directory(path: Path) -> None:
    """Raise ArtifactError if something other than a model stands at ``path``."""
    if path.exists() and not (path / MANIFEST).is_file():
        if path.is_dir() and not any(path.iterdir()):
            return
        raise ArtifactError(f"{path}: exists and is not a model; choose another directory.")


def _facts(file: Path, array: Array | None = None) -> FileFacts:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return FileFacts(
        sha256=digest,
        bytes=file.stat().st_size,
        dtype=None if array is None else array.dtype.str,
        shape=None if array is None else array.shape,
    )
