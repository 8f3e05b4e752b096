"""The versions in a store, complete or not: list, make live, roll back, prune."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.model_store.layout import (
    POINTER_FILE,
    StorageUnreachableError,
    is_version_name,
    parse_pointer,
    parse_published_manifest,
)
from app.model_store.remote import AccessDeniedError, MissingObjectError
from app.recommender.artifact import MANIFEST_FILE, ArtifactError, Manifest, verify_bytes
from model_build.artifact.file_store import ConflictError, ModelFileStore, StoredFile
from model_build.util.errors import InputError


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version in a store; ``problem`` says why it is not complete.

    One that ``is_unreadable`` has a manifest that this Hakken does not understand, perhaps that of
    another Hakken: whether it is whole cannot be said.
    """

    name: str
    manifest: Manifest | None
    problem: str | None
    files: Mapping[str, StoredFile]
    is_live: bool
    is_unreadable: bool

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(stored.size for stored in self.files.values())

    @property
    def updated(self) -> float:
        """When its last file was written."""
        return max(stored.updated for stored in self.files.values())

    @property
    def creation_key(self) -> tuple[str, float, str]:
        """A key that sorts versions by when they were made.

        One that was annotated is as old as what it was made of, and was written later.
        """
        return (self.manifest.created if self.manifest else "", self.updated, self.name)


class PrunedVersions(NamedTuple):
    """What `prune_versions` deleted, and what it left because it cannot be read."""

    deleted: list[ModelVersion]
    unreadable: list[ModelVersion]


@dataclass(frozen=True, slots=True)
class VersionInventory:
    """The versions of a store, newest first.

    ``live_version`` is what the pointer names, ``pointer_generation`` what a new one replaces.
    """

    versions: tuple[ModelVersion, ...]
    live_version: str | None
    pointer_generation: str | None

    def find_version(self, name: str) -> ModelVersion | None:
        """Return the version of this name, or None."""
        return next((each for each in self.versions if each.name == name), None)


def list_versions(store: ModelFileStore) -> VersionInventory:
    """List everything that is there.

    Raises
    ------
    InputError
        The store is a model itself, so no version in it would ever be used.
    ArtifactError
        The store cannot be read, or its pointer names no version.
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
    """Return the version that is live; None if there is no pointer."""
    try:
        return parse_pointer(store.read(POINTER_FILE), f"{store.url}/{POINTER_FILE}")
    except MissingObjectError:
        return None


def _inspect_version(
    store: ModelFileStore, name: str, files: Mapping[str, StoredFile], live: str | None
) -> ModelVersion:
    manifest = problem = None
    is_unreadable = False
    if MANIFEST_FILE not in files:
        problem = f"no {MANIFEST_FILE}"
    else:
        try:
            content = store.read(f"{name}/{MANIFEST_FILE}")
            manifest = parse_published_manifest(
                content, f"{store.url}/{name}/{MANIFEST_FILE}", name
            )
        except MissingObjectError:
            problem = f"no {MANIFEST_FILE}"  # deleted meanwhile
        except (StorageUnreachableError, AccessDeniedError):
            raise  # which says nothing about the version
        except ArtifactError as error:
            problem, is_unreadable = str(error), True
    if manifest:
        wrong = [
            file
            for file, entry in manifest.files.items()
            if file not in files or files[file].size != entry.bytes
        ]
        if wrong:
            problem = f"missing or cut short: {', '.join(wrong)}"
    return ModelVersion(name, manifest, problem, files, name == live, is_unreadable)


ABANDONED_AFTER_SECONDS = 24 * 3600.0
"""An older incomplete version counts as abandoned."""


def rollback_version(store: ModelFileStore, version: str | None = None) -> tuple[str | None, str]:
    """Make ``version`` live, or the one made just before the live one.

    Returns the versions that were and are live.

    Raises
    ------
    InputError
        There is no such version, or it is not complete.
    ArtifactError
        A file of it is not what its manifest says.
    """
    inventory = list_versions(store)
    target = _rollback_target(store, inventory, version)
    if target.name == inventory.live_version:
        raise InputError(f"{store.url}: {target.name} is live already.")
    if target.manifest is None or target.problem:
        raise InputError(f"{store.url}/{target.name}: cannot be live ({target.problem}).")
    _verify_files(store, target.name, target.manifest)
    set_live_version(store, target.name, inventory)
    undo_if_deleted(store, target.name, inventory)
    return inventory.live_version, target.name


def prune_versions(store: ModelFileStore, keep: int, *, dry_run: bool = False) -> PrunedVersions:
    """Delete all versions but the ``keep`` newest and the live one.

    A version that lacks files is deleted after a day: until then it may be being published. One
    that cannot be read stays, as it may be whole for the Hakken that made it.
    """
    inventory = list_versions(store)
    if inventory.live_version is None:
        raise InputError(f"{store.url}: no version is live; nothing is deleted before one is.")
    complete = [version for version in inventory.versions if version.problem is None]
    recent = time.time() - ABANDONED_AFTER_SECONDS
    doomed = [version for version in complete[keep:] if not version.is_live] + [
        version
        for version in inventory.versions
        if version.problem is not None
        and not (version.is_live or version.is_unreadable)
        and version.updated < recent
    ]
    if not dry_run:
        for version in doomed:
            _delete_version(store, version)
    kept = [each for each in inventory.versions if each.is_unreadable and not each.is_live]
    return PrunedVersions(doomed, kept)


def set_live_version(store: ModelFileStore, version: str, inventory: VersionInventory) -> None:
    """Make a version the live one, unless the pointer moved since the inventory was taken."""
    try:
        store.put(POINTER_FILE, f"{version}\n".encode(), inventory.pointer_generation)
    except ConflictError:
        raise InputError(
            f"{store.url}/{POINTER_FILE}: somebody else moved it meanwhile, so {version} is not "
            f"live; look with `versions --at {store.url}`, then try again."
        ) from None


def _rollback_target(
    store: ModelFileStore, inventory: VersionInventory, version: str | None
) -> ModelVersion:
    if version is not None:
        found = inventory.find_version(version)
        if found is None:
            known = ", ".join(each.name for each in inventory.versions) or "none"
            raise InputError(f"{store.url}: there is no version {version!r}; there are: {known}.")
        return found
    live = inventory.find_version(inventory.live_version or "")
    for each in inventory.versions:
        if live and each.problem is None and each.creation_key < live.creation_key:
            return each
    raise InputError(f"{store.url}: no whole version was made before the live one; name a version.")


def _verify_files(store: ModelFileStore, version: str, manifest: Manifest) -> None:
    """Read every file once: sizes alone do not show that bits were lost since it was published."""
    for file, entry in manifest.files.items():
        name = f"{version}/{file}"
        verify_bytes(f"{store.url}/{name}", store.download(name, entry.bytes), entry)


def undo_if_deleted(store: ModelFileStore, target: str, before: VersionInventory) -> None:
    """Go back if somebody began to delete the version while the pointer was moved to it."""
    now = list_versions(store)
    found = now.find_version(target)
    if now.live_version != target or (found and found.problem is None):
        return
    if before.live_version:
        set_live_version(store, before.live_version, now)
    raise InputError(
        f"{store.url}/{target}: was deleted meanwhile; {before.live_version or 'it'} is live again."
    )


def _delete_version(store: ModelFileStore, version: ModelVersion) -> None:
    """Delete a version, its manifest first: what a killed prune leaves is incomplete."""
    manifest = f"{version.name}/{MANIFEST_FILE}"
    content = store.read(manifest) if MANIFEST_FILE in version.files else None
    if content is not None:
        store.delete(manifest)
        if read_live_version(store) == version.name:
            # It became live since it was listed. `undo_if_deleted` tells whoever made it so.
            _restore_manifest(store, manifest, content)
            raise InputError(f"{store.url}: {version.name} was made live meanwhile; it is kept.")
    others = version.files.keys() - {MANIFEST_FILE}
    store.delete_all(f"{version.name}/{file}" for file in sorted(others))


def _restore_manifest(store: ModelFileStore, manifest: str, content: bytes) -> None:
    try:
        store.put(manifest, content, None)
    except ConflictError as conflict:
        raise InputError(f"{store.url}/{conflict}: somebody else is writing it.") from None
