"""What a place holds: versions, whole or not, and which one is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.model_store.gcs import MissingObjectError
from app.model_store.layout import (
    POINTER_FILE,
    StorageUnreachableError,
    is_version_name,
    parse_pointer,
    parse_published_manifest,
)
from app.recommender.artifact import MANIFEST_FILE, ArtifactError, Manifest
from model_build.artifact.store import ModelFileStore, StoredFile
from model_build.util.errors import InputError


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A folder of the place. ``fault`` says what is wrong with it, None if it is whole; ``updated``
    is when its last file was written."""

    name: str
    manifest: Manifest | None
    problem: str | None
    files: Mapping[str, StoredFile]
    is_live: bool

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(stored.size for stored in self.files.values())

    @property
    def updated(self) -> float:
        """When its last file was written."""
        return max(stored.updated for stored in self.files.values())

    @property
    def creation_key(self) -> tuple[str, str]:
        """A key that sorts versions from the one made first to the one made last."""
        return (self.manifest.created if self.manifest else "", self.name)


@dataclass(frozen=True, slots=True)
class VersionInventory:
    """The versions, the one made last first. ``live`` is the version that the pointer names, None
    without one, and ``pointer`` the generation to replace it."""

    versions: tuple[ModelVersion, ...]
    live_version: str | None
    pointer_generation: str | None

    def find_version(self, name: str) -> ModelVersion | None:
        """The version of this name."""
        return next((each for each in self.versions if each.name == name), None)


def list_versions(store: ModelFileStore) -> VersionInventory:
    """Look at everything that is there.

    Raises:
        InputError: the place is a model itself, so no version in it would ever be used.
        ArtifactError: the store cannot be read, or its pointer names no version.
    """
    listed = store.list()
    if MANIFEST_FILE in listed:
        raise InputError(
            f"{store.url}: holds a model itself ({MANIFEST_FILE}), not versions of one; "
            "choose another place."
        )
    live = read_live_version(store) if POINTER_FILE in listed else None
    folders: dict[str, dict[str, StoredFile]] = {}
    for name, stored in listed.items():
        folder, _, file = name.partition("/")
        if file and "/" not in file and is_version_name(folder):
            folders.setdefault(folder, {})[file] = stored
    versions = [_inspect_version(store, name, files, live) for name, files in folders.items()]
    versions.sort(key=lambda version: version.creation_key, reverse=True)
    return VersionInventory(
        tuple(versions), live, listed[POINTER_FILE].generation if live else None
    )


def read_live_version(store: ModelFileStore) -> str | None:
    """The version that is live; None if there is no pointer."""
    try:
        return parse_pointer(store.read(POINTER_FILE), f"{store.url}/{POINTER_FILE}")
    except MissingObjectError as error:
        if error.denied:
            raise
        return None


def _inspect_version(
    store: ModelFileStore, name: str, files: Mapping[str, StoredFile], live: str | None
) -> ModelVersion:
    manifest = fault = None
    if MANIFEST_FILE not in files:
        fault = f"no {MANIFEST_FILE}"
    else:
        try:
            content = store.read(f"{name}/{MANIFEST_FILE}")
            manifest = parse_published_manifest(
                content, f"{store.url}/{name}/{MANIFEST_FILE}", name
            )
        except MissingObjectError as error:
            if error.denied:
                raise
            fault = f"no {MANIFEST_FILE}"  # deleted meanwhile
        except StorageUnreachableError:
            raise  # which says nothing about the version
        except ArtifactError as error:
            fault = str(error)
    if manifest:
        wrong = [
            file
            for file, facts in manifest.files.items()
            if file not in files or files[file].size != facts.bytes
        ]
        if wrong:
            fault = f"missing or cut short: {', '.join(wrong)}"
    return ModelVersion(name, manifest, fault, files, name == live)
