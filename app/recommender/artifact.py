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
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.recommender.atomic_writes import fsync_path, replace_directory
from app.recommender.parameters import ServingParameters
from app.recommender.regular_files import TooLargeError, open_regular, read_regular

FORMAT_VERSION: Final = 3
MANIFEST_FILE = "manifest.json"
CATALOGUE_FILE = "catalogue.json.gz"
EVALUATION_FILE = "measures.json"
"""Optional: all that was measured when the model was made, tables and intervals included."""
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
_DIGEST_PLACEHOLDER: Final = "0" * 64

Array = npt.NDArray[Any]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Text = Annotated[str, Field(max_length=10_000)]


class ArtifactError(Exception):
    """A model directory that cannot be used; the message names the file and what is wrong."""


class _StrictSchema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ManifestEntry(_StrictSchema):
    """What a file must be: its size and digest, and for arrays dtype and shape."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, lt=2**63)]
    dtype: str | None = None
    shape: tuple[int, ...] | None = None


class DatasetInfo(_StrictSchema):
    """What the model was trained on."""

    name: _Text
    fingerprint: _Text


class Manifest(_StrictSchema):
    """``manifest.json``.

    ``digest`` is the sha256 of the file itself, taken with zeros in its own place: everything else
    is vouched for by the manifest, and nothing else vouches for that. Older files have none.
    """

    format: Literal[3]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    created: _Text
    dataset: DatasetInfo
    counts: dict[str, _Whole]
    hyperparameters: dict[str, _Finite | _Whole | _Text]
    serving_parameters: ServingParameters
    metrics: dict[str, _Finite]
    files: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9]+)+$")], ManifestEntry]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @property
    def created_at(self) -> datetime | None:
        """When the model was made, in UTC; None where the manifest does not say so as a date."""
        try:
            made = datetime.fromisoformat(self.created)
        except ValueError:
            return None
        return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ModelArtifact:
    """An opened model directory: its manifest and its arrays by name, read-only."""

    path: Path
    manifest: Manifest
    arrays: Mapping[str, Array]

    @property
    def catalogue_path(self) -> Path:
        """The catalogue's file."""
        return self.path / CATALOGUE_FILE


def read_manifest(path: Path) -> Manifest:
    """Read and check ``path/manifest.json`` without looking at the other files."""
    file = path / MANIFEST_FILE
    try:
        text = read_regular(file, MAX_MANIFEST_BYTES).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(f"{file}: not found, so {path} holds no model.") from None
    except (OSError, UnicodeDecodeError, TooLargeError) as error:
        raise ArtifactError(f"{file}: cannot be read ({error}).") from None
    return parse_manifest(text, file)


def parse_manifest(text: str, origin: Path | str) -> Manifest:
    """Parse a manifest; ``origin`` is what an error message calls it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{origin}: not JSON ({error}).") from None
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT_VERSION:
        raise ArtifactError(
            f"{origin}: format {found!r}, but this Hakken reads format {FORMAT_VERSION}; train the "
            "model again (python -m model_build train), or fetch a current one (fetch)."
        )
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"{origin}: {where}: {first['msg']}.") from None
    if manifest.digest is not None:
        found = _sha256(text.replace(manifest.digest, _DIGEST_PLACEHOLDER))
        if found != manifest.digest:
            raise ArtifactError(
                f"{origin}: its digest is {found}, the file itself says {manifest.digest}; "
                "it was damaged or edited: restore it, or write the model again."
            )
    return manifest


def serialize_manifest(manifest: Manifest) -> str:
    """Return the content of ``manifest.json``, with its digest."""
    data = {**manifest.model_dump(exclude_none=True), "digest": _DIGEST_PLACEHOLDER}
    text = json.dumps(data, indent=2) + "\n"
    return text.replace(_DIGEST_PLACEHOLDER, _sha256(text))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def open_artifact(path: Path) -> ModelArtifact:
    """Open a model directory, checking every file against the manifest.

    Raises
    ------
    ArtifactError
        The format is unknown, or a file is missing or is not what was written.
    """
    manifest = read_manifest(path)
    if CATALOGUE_FILE not in manifest.files:
        raise ArtifactError(
            f"{path / MANIFEST_FILE}: lists no {CATALOGUE_FILE}, so the model has no titles."
        )
    arrays = {}
    for name, entry in manifest.files.items():
        verify_file(path / name, entry)
        if name.endswith(".npy"):
            arrays[name.removesuffix(".npy")] = _load_array(path / name, entry)
    return ModelArtifact(path, manifest, arrays)


def verify_file(file: Path, entry: ManifestEntry) -> None:
    """Compare size and sha256 of a file with its manifest entry."""
    try:
        with open_regular(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != entry.bytes:
                raise ArtifactError(f"{file}: {size} bytes, the manifest says {entry.bytes}.")
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise ArtifactError(f"{file}: missing, but the manifest lists it.") from None
    except OSError as error:
        raise ArtifactError(f"{file}: cannot be read ({error.strerror or error}).") from None
    _check_sha256(file, digest, entry)


def verify_bytes(file: Path | str, content: bytes, entry: ManifestEntry) -> None:
    """Return the same for the content of a file that was read already."""
    _check_sha256(file, hashlib.sha256(content).hexdigest(), entry)


def _check_sha256(file: Path | str, digest: str, entry: ManifestEntry) -> None:
    if digest != entry.sha256:
        raise ArtifactError(f"{file}: sha256 is {digest}, the manifest says {entry.sha256}.")


def _load_array(file: Path, entry: ManifestEntry) -> Array:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{file}: not a plain .npy array ({error}).") from None
    if array.dtype.str != entry.dtype or array.shape != entry.shape:
        raise ArtifactError(
            f"{file}: {array.dtype.str}{array.shape}, the manifest says {entry.dtype}{entry.shape}."
        )
    # A plain view: numpy.memmap's own indexing is slower and numba does not know the type.
    return np.asarray(array)


def write_artifact(
    path: Path,
    *,
    version: str,
    created: str,
    dataset: DatasetInfo,
    counts: Mapping[str, int],
    hyperparameters: Mapping[str, float | int | str],
    serving_parameters: ServingParameters,
    metrics: Mapping[str, float],
    arrays: Mapping[str, Array],
    catalogue: bytes,
    documents: Mapping[str, str] | None = None,
) -> Manifest:
    """Write a model directory in one step: whole, or not at all.

    ``documents`` are further text files (a model card). An existing model at ``path`` is replaced;
    anything else that stands there is left alone and refused.
    """
    ensure_replaceable(path)
    files = {}
    with replace_directory(path) as new:
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            np.save(new / f"{name}.npy", array, allow_pickle=False)
            files[f"{name}.npy"] = _manifest_entry(new / f"{name}.npy", array)
        (new / CATALOGUE_FILE).write_bytes(catalogue)
        files[CATALOGUE_FILE] = _manifest_entry(new / CATALOGUE_FILE)
        for name, text in (documents or {}).items():
            (new / name).write_text(text, "utf-8")
            files[name] = _manifest_entry(new / name)
        try:
            manifest = Manifest(
                format=FORMAT_VERSION,
                version=version,
                created=created,
                dataset=dataset,
                counts=dict(counts),
                hyperparameters=dict(hyperparameters),
                serving_parameters=serving_parameters,
                metrics=dict(metrics),
                files=files,
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"][:2]))
            raise ArtifactError(
                f"{path}: not written, as {name} is {first['input']!r}; a setting far from the "
                "usual makes such numbers."
            ) from None
        (new / MANIFEST_FILE).write_text(serialize_manifest(manifest), "utf-8")
        fsync_path(new / MANIFEST_FILE)
    return manifest


def ensure_replaceable(path: Path) -> None:
    """Raise ArtifactError if something other than a model stands at ``path``."""
    if path.exists() and not (path / MANIFEST_FILE).is_file():
        if path.is_dir() and not any(path.iterdir()):
            return
        raise ArtifactError(f"{path}: exists and is not a model; choose another directory.")


def _manifest_entry(file: Path, array: Array | None = None) -> ManifestEntry:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return ManifestEntry(
        sha256=digest,
        bytes=file.stat().st_size,
        dtype=None if array is None else array.dtype.str,
        shape=None if array is None else array.shape,
    )
