"""Upload a model as a version, verify it there, and make it the live one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.catalogue import Catalogue
from app.model_store.layout import POINTER
from app.recommender import Model
from app.recommender.artifact import MANIFEST, ArtifactError, Manifest, verify_bytes
from model_build.errors import InputError
from model_build.publishing.gate import Gate
from model_build.publishing.inventory import Inventory, Version, take_inventory
from model_build.publishing.store import ConflictError, Store, Stored


@dataclass(frozen=True, slots=True)
class Published:
    """What was done: files and bytes that were written, and the version that was live before."""

    version: str
    verdict: str
    files: int
    written: int
    size: int
    before: str | None


def publish(path: Path, store: Store, gate: Gate) -> Published:
    """Publish the model at ``path``. What is there already is not sent again, so that after an
    interruption the same call completes the work.

    Raises:
        InputError: the gate is closed, the version is there with other content, or somebody else
            publishes at the same time. The live model stays what it was.
        ArtifactError: the model cannot be used, or the store cannot be read or written.
    """
    model = Model.open(path)
    _open_catalogue(model)
    manifest, text = model.manifest, (path / MANIFEST).read_bytes()
    inventory = take_inventory(store)
    _refuse_other_content(store, manifest, text, inventory)
    verdict = _compare(gate, manifest, inventory)
    written = _upload(path, store, manifest, text)
    if inventory.live != manifest.version:
        move_pointer(store, manifest.version, inventory)
    return Published(
        version=manifest.version,
        verdict=verdict,
        files=len(written),
        written=sum(written.values()),
        size=len(text) + sum(facts.bytes for facts in manifest.files.values()),
        before=inventory.live,
    )


def move_pointer(store: Store, version: str, seen: Inventory) -> None:
    """Make a version the live one, unless the pointer moved since the inventory was taken.

    Raises:
        InputError: it did.
    """
    try:
        store.put(POINTER, f"{version}\n".encode(), seen.pointer)
    except ConflictError:
        raise InputError(
            f"{store.url}/{POINTER}: somebody else moved it meanwhile, so {version} is not live; "
            f"look with `versions --at {store.url}`, then try again."
        ) from None


def _open_catalogue(model: Model) -> None:
    try:
        Catalogue.open(model.catalogue_path)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise ArtifactError(f"{model.catalogue_path}: not a catalogue ({error}).") from None


def _compare(gate: Gate, new: Manifest, inventory: Inventory) -> str:
    if inventory.live is None:
        return "nothing was live before to compare with."
    if inventory.live == new.version:
        return "it is the live model already."
    live = inventory.find(inventory.live)
    if live is None or live.manifest is None:
        reason = live.fault if live else "it is not there"
        return f"the live model {inventory.live} cannot be compared with ({reason})."
    return gate.judge(new, live.manifest)


def _refuse_other_content(
    store: Store, manifest: Manifest, text: bytes, inventory: Inventory
) -> None:
    there: Version | None = inventory.find(manifest.version)
    if there is None or MANIFEST not in there.files:
        return
    if not store.has(there.files[MANIFEST], text):
        raise InputError(
            f"{store.url}/{there.name}: this version is there with other content, and a version "
            "never changes; train again for a new version."
        )


def _upload(path: Path, store: Store, manifest: Manifest, text: bytes) -> Mapping[str, int]:
    """Bring everything there, the manifest last, and look at all of it again; what was written."""
    folder, written = manifest.version, {}
    try:
        there = store.list()
        for file, facts in manifest.files.items():
            content = (path / file).read_bytes()
            verify_bytes(path / file, content, facts)
            name = f"{folder}/{file}"
            if not _has(store, name, there, content):
                _put(store, name, there, content)
                written[file] = len(content)
        _verify(path, store, manifest)
        if not _has(store, f"{folder}/{MANIFEST}", there, text):
            _put(store, f"{folder}/{MANIFEST}", there, text)
            written[MANIFEST] = len(text)
        _verify(path, store, manifest)  # nobody replaced any of it before the manifest was there
    except ConflictError as conflict:
        raise InputError(
            f"{store.url}/{conflict}: somebody else is publishing this version with other content; "
            f"look with `versions --at {store.url}`, then try again."
        ) from None
    return written


def _verify(path: Path, store: Store, manifest: Manifest) -> None:
    there = store.list()
    for file in manifest.files:
        name = f"{manifest.version}/{file}"
        if not _has(store, name, there, (path / file).read_bytes()):
            raise InputError(
                f"{store.url}/{name}: is not what was uploaded; "
                "somebody else is writing there, or the storage is damaged: publish again."
            )


def _has(store: Store, name: str, there: Mapping[str, Stored], content: bytes) -> bool:
    return name in there and store.has(there[name], content)


def _put(store: Store, name: str, there: Mapping[str, Stored], content: bytes) -> None:
    store.put(name, content, there[name].generation if name in there else None)
