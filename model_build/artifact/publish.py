"""Upload a model as a version, verify it there, and make it the live one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.artifact import MANIFEST_FILE, Manifest, verify_bytes
from app.recommender.trial import try_model
from model_build.artifact.file_store import ConflictError, ModelFileStore
from model_build.artifact.versions import (
    VersionInventory,
    list_versions,
    set_live_version,
    undo_if_deleted,
)
from model_build.util.errors import InputError

_ROUNDING = 1e-9


class RefusedByGateError(InputError):
    """The model is worse than the live one, or not known to be as good."""


@dataclass(frozen=True, slots=True)
class QualityGate:
    """Lets ``metric`` fall by at most ``allow_drop``, unless ``force``."""

    metric: str = "ndcg@10"
    allow_drop: float = 0.01
    force: bool = False

    def check(self, new: Manifest, live: Manifest) -> str:
        """Compare two models in one sentence.

        Raises
        ------
        RefusedByGateError
            The new one is worse, or not known to be as good.
        """
        now, before = self._metric_value(new), self._metric_value(live)
        if before is None:
            return f"the live model {live.version} has no {self.metric} to compare with."
        if now is None:
            comparison = (
                f"{self.metric} of the live model {live.version} is {before:.4f}, "
                f"that of {new.version} was not measured"
            )
        else:
            comparison = (
                f"{self.metric} {now:.4f} against {before:.4f} of the live model {live.version}"
            )
            if now >= before - self.allow_drop - _ROUNDING:
                return f"{comparison}."
        if self.force:
            return f"{comparison}; published all the same."
        if now is None:
            raise RefusedByGateError(
                f"{comparison}; train it with --metrics (what evaluate --json printed), or use "
                "--force."
            )
        raise RefusedByGateError(
            f"{comparison}: it fell by more than {self.allow_drop:g}; "
            "find out why, or use --allow-drop or --force."
        )

    def _metric_value(self, manifest: Manifest) -> float | None:
        value = manifest.metrics.get(self.metric)
        return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class PublishResult:
    """Files and bytes that were written, and the version that was live before."""

    version: str
    verdict: str
    files_written: int
    bytes_written: int
    total_bytes: int
    previous_version: str | None


def publish_model(path: Path, store: ModelFileStore, gate: QualityGate) -> PublishResult:
    """Publish the model at ``path``.

    What is there already is not sent again: after an interruption the same call completes the work.

    Raises
    ------
    InputError
        The gate is closed, the version is there with other content, or somebody else publishes at
        the same time. The live model stays what it was.
    ArtifactError
        The model cannot be used, or the store cannot be read or written.
    """
    model = Model.open(path)
    Catalogue.open(model.catalogue_path)
    try_model(model)
    manifest, text = model.manifest, (path / MANIFEST_FILE).read_bytes()
    inventory = list_versions(store)
    _check_unchanged(store, manifest, text, inventory)
    verdict = _apply_gate(gate, manifest, inventory)
    written = _upload_files(path, store, manifest, text)
    if inventory.live_version != manifest.version:
        set_live_version(store, manifest.version, inventory)
        undo_if_deleted(store, manifest.version, inventory)
    return PublishResult(
        version=manifest.version,
        verdict=verdict,
        files_written=len(written),
        bytes_written=sum(written.values()),
        total_bytes=len(text) + sum(entry.bytes for entry in manifest.files.values()),
        previous_version=inventory.live_version,
    )


def _apply_gate(gate: QualityGate, new: Manifest, inventory: VersionInventory) -> str:
    if inventory.live_version is None:
        return "nothing was live before to compare with."
    if inventory.live_version == new.version:
        return "it is the live model already."
    live = inventory.find_version(inventory.live_version)
    if live is None or live.manifest is None:
        reason = live.problem if live else "it is not there"
        return f"the live model {inventory.live_version} cannot be compared with ({reason})."
    return gate.check(new, live.manifest)


def _check_unchanged(
    store: ModelFileStore, manifest: Manifest, text: bytes, inventory: VersionInventory
) -> None:
    there = inventory.find_version(manifest.version)
    if there is None or MANIFEST_FILE not in there.files:
        return
    if not store.matches(there.files[MANIFEST_FILE], text):
        raise InputError(
            f"{store.url}/{there.name}: this version is there with other content, and a version "
            "never changes; train again for a new version."
        )


def _upload_files(
    path: Path, store: ModelFileStore, manifest: Manifest, text: bytes
) -> Mapping[str, int]:
    """Upload what is missing, the manifest last, verify all of it, and return sizes by file."""
    there = store.list()
    written: dict[str, int] = {}

    def missing(file: str, content: bytes) -> list[tuple[str, bytes, str | None]]:
        name = f"{manifest.version}/{file}"
        stored = there.get(name)
        if stored and store.matches(stored, content):
            return []
        written[file] = len(content)
        return [(name, content, stored.generation if stored else None)]

    def missing_files() -> Iterator[tuple[str, bytes, str | None]]:
        for file, entry in manifest.files.items():
            content = (path / file).read_bytes()
            verify_bytes(path / file, content, entry)
            yield from missing(file, content)

    try:
        store.put_all(missing_files())
        _verify_upload(path, store, manifest)
        store.put_all(missing(MANIFEST_FILE, text))
        # Again: until the manifest is there, somebody else may have replaced a file.
        _verify_upload(path, store, manifest)
    except ConflictError as conflict:
        raise InputError(
            f"{store.url}/{conflict}: somebody else is publishing this version with other content; "
            f"look with `versions --at {store.url}`, then try again."
        ) from None
    return written


def _verify_upload(path: Path, store: ModelFileStore, manifest: Manifest) -> None:
    there = store.list()
    for file in manifest.files:
        name = f"{manifest.version}/{file}"
        stored = there.get(name)
        if stored is None or not store.matches(stored, (path / file).read_bytes()):
            raise InputError(
                f"{store.url}/{name}: is not what was uploaded; "
                "somebody else is writing there, or the storage is damaged: publish again."
            )
