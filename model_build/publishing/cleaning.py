"""The way back to an earlier version, and the end of those that nobody needs any more."""

from __future__ import annotations

import time
from collections.abc import Iterable

from app.recommender.artifact import MANIFEST
from model_build.errors import InputError
from model_build.publishing.inventory import Inventory, Version, read_pointer, take_inventory
from model_build.publishing.publish import move_pointer
from model_build.publishing.store import ConflictError, Store

DAY = 24 * 3600.0
"""How old an incomplete version must be to be taken for abandoned."""


def rollback(store: Store, version: str | None = None) -> tuple[str | None, str]:
    """Make an earlier version live; without one, that which was made just before the live one.

    Returns the version that was live and the one that is.

    Raises:
        InputError: there is no such version, or it is not whole.
    """
    inventory = take_inventory(store)
    target = _target(store, inventory, version)
    if target.name == inventory.live:
        raise InputError(f"{store.url}: {target.name} is live already.")
    if target.fault:
        raise InputError(f"{store.url}/{target.name}: cannot be live ({target.fault}).")
    move_pointer(store, target.name, inventory)
    _undo_if_gone(store, target.name, inventory)
    return inventory.live, target.name


def prune(store: Store, keep: int, *, dry_run: bool = False) -> list[Version]:
    """Delete all versions but the ``keep`` made last and the live one, and return them.

    An incomplete version is deleted once it is older than a day: until then somebody may be
    publishing it.

    Raises:
        InputError: no version is live, so that nothing says which one is in use.
    """
    inventory = take_inventory(store)
    if inventory.live is None:
        raise InputError(f"{store.url}: no version is live; nothing is deleted before one is.")
    whole = [version for version in inventory.versions if version.fault is None]
    recent = time.time() - DAY
    doomed = [version for version in whole[keep:] if not version.live] + [
        version
        for version in inventory.versions
        if version.fault is not None and not version.live and version.updated < recent
    ]
    if not dry_run:
        for version in doomed:
            _delete(store, version)
    return doomed


def _target(store: Store, inventory: Inventory, version: str | None) -> Version:
    if version is not None:
        found = inventory.find(version)
        if found is None:
            known = ", ".join(each.name for each in inventory.versions) or "none"
            raise InputError(f"{store.url}: there is no version {version!r}; there are: {known}.")
        return found
    live = inventory.find(inventory.live) if inventory.live else None
    before = _whole_before(inventory.versions, live) if live else None
    if before is None:
        raise InputError(
            f"{store.url}: no whole version was made before the live one; name a version."
        )
    return before


def _whole_before(versions: Iterable[Version], live: Version) -> Version | None:
    older = (each for each in versions if each.fault is None and each.age < live.age)
    return next(older, None)


def _undo_if_gone(store: Store, target: str, before: Inventory) -> None:
    """Go back if somebody began to delete the version while the pointer was moved to it."""
    now = take_inventory(store)
    found = now.find(target)
    if now.live != target or (found and found.fault is None):
        return
    if before.live:
        move_pointer(store, before.live, now)
    raise InputError(
        f"{store.url}/{target}: was deleted meanwhile; {before.live or 'it'} is live again."
    )


def _delete(store: Store, version: Version) -> None:
    """Delete a version, its manifest first: what a killed prune leaves is not whole."""
    manifest = f"{version.name}/{MANIFEST}"
    content = store.read(manifest) if MANIFEST in version.files else None
    if content is not None:
        store.delete(manifest)
        if read_pointer(store) == version.name:
            # It became live between our look and now. Whoever made it so is told by `rollback`.
            _restore(store, manifest, content)
            raise InputError(f"{store.url}: {version.name} was made live meanwhile; it is kept.")
    for file in version.files:
        if file != MANIFEST:
            store.delete(f"{version.name}/{file}")


def _restore(store: Store, manifest: str, content: bytes) -> None:
    try:
        store.put(manifest, content, None)
    except ConflictError as conflict:
        raise InputError(f"{store.url}/{conflict}: somebody else is writing it.") from None
