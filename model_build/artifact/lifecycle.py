"""The way back to an earlier version, and the end of those that nobody needs any more."""

from __future__ import annotations

import time
from collections.abc import Iterable

from app.recommender.artifact import MANIFEST_FILE
from model_build.artifact.inventory import (
    ModelVersion,
    VersionInventory,
    list_versions,
    read_live_version,
)
from model_build.artifact.publish import set_live_version
from model_build.artifact.store import ConflictError, ModelFileStore
from model_build.util.errors import InputError

ABANDONED_AFTER_SECONDS = 24 * 3600.0
"""How old an incomplete version must be to be taken for abandoned."""


def rollback_version(store: ModelFileStore, version: str | None = None) -> tuple[str | None, str]:
    """Make an earlier version live; without one, that which was made just before the live one.

    Returns the version that was live and the one that is.

    Raises:
        InputError: there is no such version, or it is not whole.
    """
    inventory = list_versions(store)
    target = _rollback_target(store, inventory, version)
    if target.name == inventory.live_version:
        raise InputError(f"{store.url}: {target.name} is live already.")
    if target.problem:
        raise InputError(f"{store.url}/{target.name}: cannot be live ({target.problem}).")
    set_live_version(store, target.name, inventory)
    _undo_if_deleted(store, target.name, inventory)
    return inventory.live_version, target.name


def prune_versions(
    store: ModelFileStore, keep: int, *, dry_run: bool = False
) -> list[ModelVersion]:
    """Delete all versions but the ``keep`` made last and the live one, and return them.

    An incomplete version is deleted once it is older than a day: until then somebody may be
    publishing it.

    Raises:
        InputError: no version is live, so that nothing says which one is in use.
    """
    inventory = list_versions(store)
    if inventory.live_version is None:
        raise InputError(f"{store.url}: no version is live; nothing is deleted before one is.")
    whole = [version for version in inventory.versions if version.problem is None]
    recent = time.time() - ABANDONED_AFTER_SECONDS
    doomed = [version for version in whole[keep:] if not version.is_live] + [
        version
        for version in inventory.versions
        if version.problem is not None and not version.is_live and version.updated < recent
    ]
    if not dry_run:
        for version in doomed:
            _delete_version(store, version)
    return doomed


def _rollback_target(
    store: ModelFileStore, inventory: VersionInventory, version: str | None
) -> ModelVersion:
    if version is not None:
        found = inventory.find_version(version)
        if found is None:
            known = ", ".join(each.name for each in inventory.versions) or "none"
            raise InputError(f"{store.url}: there is no version {version!r}; there are: {known}.")
        return found
    live = inventory.find_version(inventory.live_version) if inventory.live_version else None
    before = _previous_complete_version(inventory.versions, live) if live else None
    if before is None:
        raise InputError(
            f"{store.url}: no whole version was made before the live one; name a version."
        )
    return before


def _previous_complete_version(
    versions: Iterable[ModelVersion], live: ModelVersion
) -> ModelVersion | None:
    older = (
        each for each in versions if each.problem is None and each.creation_key < live.creation_key
    )
    return next(older, None)


def _undo_if_deleted(store: ModelFileStore, target: str, before: VersionInventory) -> None:
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
    """Delete a version, its manifest first: what a killed prune leaves is not whole."""
    manifest = f"{version.name}/{MANIFEST_FILE}"
    content = store.read(manifest) if MANIFEST_FILE in version.files else None
    if content is not None:
        store.delete(manifest)
        if read_live_version(store) == version.name:
            # It became live between our look and now. Whoever made it so is told by `rollback`.
            _restore_manifest(store, manifest, content)
            raise InputError(f"{store.url}: {version.name} was made live meanwhile; it is kept.")
    for file in version.files:
        if file != MANIFEST_FILE:
            store.delete(f"{version.name}/{file}")


def _restore_manifest(store: ModelFileStore, manifest: str, content: bytes) -> None:
    try:
        store.put(manifest, content, None)
    except ConflictError as conflict:
        raise InputError(f"{store.url}/{conflict}: somebody else is writing it.") from None
