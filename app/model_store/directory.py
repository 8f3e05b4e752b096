"""Models in a directory of this host: they are opened where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.model_store.layout import (
    MAX_POINTER_BYTES,
    POINTER_FILE,
    ModelRef,
    manifest_digest,
    no_model_error,
    parse_pointer,
    parse_published_manifest,
)
from app.recommender.artifact import MANIFEST_FILE, MAX_MANIFEST_BYTES, ArtifactError
from app.recommender.regular_files import TooLargeError, read_regular


@dataclass(frozen=True, slots=True)
class DirectoryModelSource:
    """A model, or a folder of versions."""

    path: Path

    def latest(self) -> ModelRef:
        """Return what is live now; ArtifactError if there is nothing that can be read."""
        try:
            return self._find_latest()
        except OSError as error:
            raise ArtifactError(
                f"{self.path}: cannot be read ({error.strerror or error}); "
                "correct its permissions or HAKKEN_MODEL."
            ) from error
        except TooLargeError as error:
            raise ArtifactError(
                f"{self.path}: {POINTER_FILE} or {MANIFEST_FILE} has {error}; "
                "publish the model again."
            ) from None

    def cached(self) -> ModelRef | None:
        """Return the same: it is on this host."""
        return self.latest()

    def commit(self, model: Path) -> None:
        """Nothing to do: there are no copies."""

    def _find_latest(self) -> ModelRef:
        model, pointed_version = self.path, None
        if not (model / MANIFEST_FILE).is_file():
            pointer = self.path / POINTER_FILE
            if not pointer.is_file():
                raise no_model_error(str(self.path))
            pointed_version = parse_pointer(read_regular(pointer, MAX_POINTER_BYTES), pointer)
            model = self.path / pointed_version
            if not (model / MANIFEST_FILE).is_file():
                raise ArtifactError(
                    f"{model / MANIFEST_FILE}: missing, but {pointer} names version "
                    f"{pointed_version}; restore that version or point to another one."
                )
        content = read_regular(model / MANIFEST_FILE, MAX_MANIFEST_BYTES)
        manifest = parse_published_manifest(content, model / MANIFEST_FILE, pointed_version)
        return ModelRef(manifest.version, manifest_digest(content), lambda _thorough: model)
