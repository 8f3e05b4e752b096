"""Models in a directory of this host: they are opened where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.model_store.layout import (
    POINTER,
    Offer,
    digest_of,
    no_model_in,
    parse_pointer,
    read_published,
)
from app.recommender.artifact import MANIFEST, ArtifactError


@dataclass(frozen=True, slots=True)
class DirectoryPlace:
    """A model, or a folder of versions."""

    path: Path

    def look(self) -> Offer:
        """What is live now; ArtifactError if there is nothing that can be read."""
        try:
            return self._look()
        except OSError as error:
            raise ArtifactError(
                f"{self.path}: cannot be read ({error.strerror or error}); "
                "correct its permissions or HAKKEN_MODEL."
            ) from error

    def nearby(self) -> Offer | None:
        """The same: it is on this host."""
        return self.look()

    def settle(self, model: Path) -> None:
        """Nothing to do: there are no copies."""

    def _look(self) -> Offer:
        model, pointed = self.path, None
        if not (model / MANIFEST).is_file():
            pointer = self.path / POINTER
            if not pointer.is_file():
                raise no_model_in(str(self.path))
            pointed = parse_pointer(pointer.read_bytes(), pointer)
            model = self.path / pointed
            if not (model / MANIFEST).is_file():
                raise ArtifactError(
                    f"{model / MANIFEST}: missing, but {pointer} names version {pointed}; "
                    "restore that version or point to another one."
                )
        content = (model / MANIFEST).read_bytes()
        manifest = read_published(content, model / MANIFEST, pointed)
        return Offer(manifest.version, digest_of(content), lambda _thorough: model)
