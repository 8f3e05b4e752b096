"""What a place holds: versions, whole or not, and which one is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.model_store.gcs import MissingObjectError
from app.model_store.layout import (
    POINTER,
    UnreachableError,
    is_version,
    parse_pointer,
    read_published,
)
from app.recommender.artifact import MANIFEST, ArtifactError, Manifest
from model_build.errors import InputError
from model_build.publishing.store import Store, Stored


@dataclass(frozen=True, slots=True)
class Version:
    """A folder of the place. ``fault`` says what is wrong with it, None if it is whole; ``updated``
    is when its last file was written."""

    name: str
    manifest: Manifest | None
    fault: str | None
    files: Mapping[str, Stored]
    live: bool

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(stored.size for stored in self.files.values())

    @property
    def updated(self) -> float:
        """When its last file was written."""
        return max(stored.updated for stored in self.files.values())

    @property
    def age(self) -> tuple[str, str]:
        """A key that sorts versions from the one made first to the one made last."""
        return (self.manifest.created if self.manifest else "", self.name)


@dataclass(frozen=True, slots=True)
class Inventory:
    """The versions, the one made last first. ``live`` is the version that the pointer names, None
    without one, and ``pointer`` the generation to replace it."""

    versions: tuple[Version, ...]
    live: str | None
    pointer: str | None

    def find(self, name: str) -> Version | None:
        """The version of this name."""
        return next((each for each in self.versions if each.name == name), None)


def take_inventory(store: Store) -> Inventory:
    """Look at everything that is there.

    Raises:
        InputError: the place is a model itself, so no version in it would ever be used.
        ArtifactError: the store cannot be read, or its pointer names no version.
    """
    listed = store.list()
    if MANIFEST in listed:
        raise InputError(
            f"{store.url}: holds a model itself ({MANIFEST}), not versions of one; "
            "choose another place."
        )
    live = read_pointer(store) if POINTER in listed else None
    folders: dict[str, dict[str, Stored]] = {}
    for name, stored in listed.items():
        folder, _, file = name.partition("/")
        if file and "/" not in file and is_version(folder):
            folders.setdefault(folder, {})[file] = stored
    versions = [_version(store, name, files, live) for name, files in folders.items()]
    versions.sort(key=lambda version: version.age, reverse=True)
    return Inventory(tuple(versions), live, listed[POINTER].generation if live else None)


def read_pointer(store: Store) -> str | None:
    """The version that is live; None if there is no pointer."""
    try:
        return parse_pointer(store.read(POINTER), f"{store.url}/{POINTER}")
    except MissingObjectError as error:
        if error.denied:
            raise
        return None


def _version(store: Store, name: str, files: Mapping[str, Stored], live: str | None) -> Version:
    manifest = fault = None
    if MANIFEST not in files:
        fault = f"no {MANIFEST}"
    else:
        try:
            content = store.read(f"{name}/{MANIFEST}")
            manifest = read_published(content, f"{store.url}/{name}/{MANIFEST}", name)
        except MissingObjectError as error:
            if error.denied:
                raise
            fault = f"no {MANIFEST}"  # deleted meanwhile
        except UnreachableError:
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
    return Version(name, manifest, fault, files, name == live)
